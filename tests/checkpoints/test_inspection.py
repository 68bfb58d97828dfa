"""What is said of a checkpoint, or of all those of a run, and of damage."""

import shutil

import h5py
import pytest
from stored import flip

from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.inspection import inspect
from hpcgen.errors import InputError, UnreadableError


def test_a_run_tells_the_state_of_each_checkpoint(comm, run_folder, refused, said):
    newest, middle, oldest = candidates(run_folder)
    if comm.rank == 0:
        flip(middle, middle.stat().st_size // 2)
    comm.Barrier()
    refused(newest)
    assert inspect(run_folder, comm) == 1
    lines = said()
    assert lines[0] == f"{run_folder}: run folder, checkpoints: 3"
    assert lines[1].startswith(f"  {newest.name}  UNREADABLE  ") and "Too many open files" in lines[1]
    assert lines[2].startswith(f"  {middle.name}  DAMAGED  ")
    assert lines[3] == f"  {oldest.name}  whole"


def test_a_file_that_cannot_be_read_is_not_called_damaged(comm, run_folder, refused, said):
    newest, *_ = candidates(run_folder)
    refused(newest)
    with pytest.raises(UnreadableError, match="Too many open files"):
        inspect(newest, comm)


def test_a_checkpoint_tells_what_it_holds(comm, run_folder, said):
    assert inspect(candidates(run_folder)[0], comm) == 0
    lines = said()
    if comm.rank:
        return  # the first rank alone tells
    assert lines[0].endswith("step-00000003.h5: checkpoint after step 3, seed 0")
    assert "  model     gan seedgan" in lines
    assert lines[-1] == "  whole: every checksum is correct"


def test_other_folders_are_refused(comm, folder, said):
    with pytest.raises(InputError, match="neither a data file, nor a checkpoint, nor a run folder"):
        inspect(folder, comm)


def test_damage_is_told_of_data_checkpoints_and_runs(comm, folder, run_file, run_folder, said):
    data, newest = folder / "digits.h5", candidates(run_folder)[0]
    if comm.rank == 0:
        shutil.copy(run_file.with_name("digits.h5"), data)
    comm.Barrier()
    assert inspect(data, comm) == inspect(newest, comm) == inspect(run_folder, comm) == 0
    comm.Barrier()
    if comm.rank == 0:
        for path, name in ((data, "samples"), (newest, "players/generator/parameters")):
            with h5py.File(path, "r+") as file:
                file[name][3] += 1
    comm.Barrier()
    for path in (data, newest, run_folder):
        said()
        assert inspect(path, comm) == 1
        assert any("DAMAGED" in line for line in said())
    with pytest.raises(InputError, match="no such file"):
        inspect(folder / "nothing", comm)
