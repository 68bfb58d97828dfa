"""The trained runs and the teams that these tests need."""

from teams import cut, teams  # noqa: F401
from trained_runs import data, trained  # noqa: F401
