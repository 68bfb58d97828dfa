"""What `hpcgen train` writes beside the run: --timings and --done."""

import errno
import json
import os

import pytest

from hpcgen.commands import parser
from hpcgen.data.prepare import prepare
from hpcgen.data.sources.digits import Digits
from hpcgen.errors import WriteError


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
