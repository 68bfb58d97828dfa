"""Checkpoints: one file, and the folder that holds a run's."""
