"""The examples of the documentation run, with one rank and with two ranks."""

import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def example(start, tmp_path, monkeypatch):
    """example(ranks, name, *arguments): run an example in a folder of its own; returns how it ended."""
    monkeypatch.chdir(tmp_path)
    return lambda ranks, name, *arguments: start(
        ranks, sys.executable, "-m", "mpi4py", EXAMPLES / name, *arguments
    ).wait()


@pytest.mark.parametrize("ranks", [0, 2])
def test_train_on_a_communicator_then_read_without_mpi(example, ranks, tmp_path, start):
    ended = example(ranks, "train_from_python.py")
    assert ended.status == 0 and f"1 of {ranks or 1} ranks trained to step 200" in ended.out
    # A process in which mpi4py cannot start MPI.
    script = EXAMPLES / "read_checkpoint.py"
    code = (
        "import mpi4py, runpy, sys; mpi4py.rc.initialize = False; "
        f"sys.argv = [{str(script)!r}, 'runs/from-python']; runpy.run_path({str(script)!r})"
    )
    ended = start(0, sys.executable, "-c", code).wait()
    assert ended.status == 0 and ended.err == ""
    assert "generator: 190,272 parameters" in ended.out and "dense1/weight" in ended.out


@pytest.mark.parametrize("ranks", [0, 2])
def test_own_data(example, ranks, tmp_path):
    assert example(ranks, "own_data.py").status == 0
    assert (tmp_path / "runs/waves/checkpoints/step-00000050.h5").exists()
    assert (tmp_path / "new.h5").exists() and (tmp_path / "new.png").exists()


@pytest.mark.parametrize("ranks", [0, 2])
def test_own_model(example, ranks, tmp_path):
    assert example(ranks, "own_model.py").status == 0
    assert (tmp_path / "flow.png").exists()
    rows = (tmp_path / "runs/flow/metrics.csv").read_text().splitlines()
    first, last = (float(rows[i].split(",")[1]) for i in (1, -1))
    assert last < 0.8 * first
