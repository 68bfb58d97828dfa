"""Communication as linear operators on divided samples: one a file, beside its adjoint."""
