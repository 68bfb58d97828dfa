"""The trained runs that these tests need."""

from trained_runs import data, trained  # noqa: F401
