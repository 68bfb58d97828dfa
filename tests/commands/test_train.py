"""hpcgen train RUN.toml: every option reaches the run; timings and the proof of a good end."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpcgen.errors import InputError, RunError


@pytest.fixture
def trained(comm, calls):
    seconds = {"compute": 1.5, "exchange": float(comm.rank)}
    return calls("hpcgen.training.run.train", SimpleNamespace(watch=SimpleNamespace(seconds=seconds)))


@pytest.mark.parametrize(
    "words, given",
    [
        ([], (Path("runs/digits"), [], False, "auto")),
        (["--run", "a/b"], (Path("a/b"), [], False, "auto")),
        (["--set", "seed=1", "--set", "x=2"], (Path("runs/digits"), ["seed=1", "x=2"], False, "auto")),
        (["--fresh"], (Path("runs/digits"), [], True, "auto")),
        (["--progress", "off"], (Path("runs/digits"), [], False, "off")),
    ],
)
def test_an_option_reaches_its_argument_and_no_other(comm, typed, trained, words, given):
    folder, *others = given
    assert typed("train", "jobs/digits.toml", *words) == 0
    assert trained == [(Path("jobs/digits.toml"), folder, comm, *others)]


def test_timings_have_a_row_a_rank(comm, folder, typed, trained):
    typed("train", "x.toml", "--timings", folder / "new.json", "--done", folder / "done")
    comm.Barrier()
    rows = json.loads((folder / "new.json").read_text())
    assert [(row["compute"], row["exchange"]) for row in rows] == [(1.5, rank) for rank in range(comm.size)]
    assert all(0 < row["total"] < 60 for row in rows) and (folder / "done").exists()


def test_a_run_that_fails_leaves_no_proof(comm, folder, typed, monkeypatch):
    def fails(*arguments):
        raise RunError("stopped")

    monkeypatch.setattr("hpcgen.training.run.train", fails)
    with pytest.raises(RunError, match="stopped"):
        typed("train", "x.toml", "--timings", folder / "t.json", "--done", folder / "done")
    comm.Barrier()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("option", ["--timings", "--done"])
def test_a_file_that_cannot_be_written_is_refused_before_training(comm, folder, typed, trained, option):
    if comm.rank == 0:
        (folder / "file").touch()
    comm.Barrier()
    with pytest.raises(InputError, match="cannot write there"):
        typed("train", "x.toml", option, folder / "file" / "x")
    assert trained == []
