"""Sums of lane gradients over all ranks."""
