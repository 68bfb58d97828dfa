"""Hooks: actions between steps, with one file for each subject."""
