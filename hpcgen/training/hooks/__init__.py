"""Hooks: actions between steps, with one file for each subject."""

from hpcgen.training.hooks.hook import Hook

__all__ = ["Hook"]
