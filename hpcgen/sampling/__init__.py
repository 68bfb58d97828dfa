"""Draw samples from a trained model, and write them to files and plots."""
