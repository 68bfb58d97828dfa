"""hpcgen train RUN.toml: every option reaches the run; timings and the proof of a good end."""

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpcgen.commands import parser
from hpcgen.data.prepare import prepare
from hpcgen.data.sources.digits import Digits
from hpcgen.errors import InputError, RunError, WriteError


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


@pytest.fixture
def train(comm, folder):
    """train(*arguments): run the command for a step; returns its exit status."""
    prepare(Digits, folder / "digits.h5", comm)
    if comm.rank == 0:
        steps = "train = { steps = 1, lanes = 4, lane_size = 2 }"
        (folder / "run.toml").write_text(f'data.path = "{folder / "digits.h5"}"\n{steps}\n')
    comm.Barrier()

    def train(*arguments):
        given = ["train", folder / "run.toml", "--run", folder / "run", "--progress", "off", *arguments]
        options = parser().parse_args(list(map(str, given)))
        status = options.run(options, comm)
        comm.Barrier()
        return status

    return train


def test_times_and_proof_may_have_paths_that_mpi_io_could_not_write(comm, folder, train):
    deep = folder / ("d" * 120) / ("e" * 120)
    assert train("--timings", deep / "t.json", "--done", deep / "done") == 0
    seconds = json.loads((deep / "t.json").read_text())
    assert len(seconds) == comm.size and all(each["total"] > 0 for each in seconds)
    assert sorted(os.listdir(deep)) == ["done", "t.json"]


@pytest.mark.parametrize("option", ["--timings", "--done"])
def test_what_the_disk_refuses_ends_all_ranks_in_one_line(comm, folder, train, monkeypatch, option):
    replace = os.replace

    def full(source, target):
        if os.fspath(target).endswith("proof"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WriteError, match="the disk refused proof: No space left on device"):
        train(option, folder / "proof")
    comm.Barrier()
    assert not (folder / "proof").exists()
