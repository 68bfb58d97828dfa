"""Trained runs for these tests."""

from trained_runs import data, trained  # noqa: F401
