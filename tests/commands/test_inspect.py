"""hpcgen inspect FILE."""

from pathlib import Path

import pytest


@pytest.mark.parametrize("status", [0, 1])
def test_the_status_is_that_of_the_inspection(comm, typed, calls, status):
    inspected = calls("hpcgen.checkpoints.inspection.inspect", status)
    assert typed("inspect", "a/run") == status and inspected == [(Path("a/run"), comm)]
