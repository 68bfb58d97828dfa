"""Layers, losses, optimizers and flat vectors: array maths that knows no process and no file."""
