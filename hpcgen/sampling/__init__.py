"""Samples of a trained model, in files and plots."""
