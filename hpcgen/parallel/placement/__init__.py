"""Networks on divided samples: which layers work on cells, and the operators between them."""
