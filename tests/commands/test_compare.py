"""hpcgen compare A B."""

from pathlib import Path

import pytest


@pytest.mark.parametrize("status", [0, 1])
def test_the_status_is_that_of_the_comparison(comm, typed, calls, status):
    compared = calls("hpcgen.checkpoints.comparison.compare", status)
    assert typed("compare", "a/run", "b.h5") == status
    assert compared == [(Path("a/run"), Path("b.h5"), comm)]
