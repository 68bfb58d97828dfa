"""Layers, losses, optimizers and flat vectors: mathematics on arrays, without processes and files."""
