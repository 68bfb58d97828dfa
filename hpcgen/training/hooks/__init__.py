"""What happens between steps: one hook for each subject."""

from hpcgen.training.hooks.hook import Hook

__all__ = ["Hook"]
