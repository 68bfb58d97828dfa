"""Checkpoints that a run writes, resumes from, and must not rename."""

import errno
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from stored import flip

from hpcgen.checkpoints.folder import candidates
from hpcgen.errors import InputError, RunError, UnreadableError
from hpcgen.training.run import train

ALL = ["step-00000001.h5", "step-00000002.h5", "step-00000003.h5"]


def names(run_folder):
    return sorted(os.listdir(run_folder / "checkpoints"))


def test_a_transient_error_ends_the_run_and_renames_nothing(comm, run_folder, resume, refused):
    newest, *_ = candidates(run_folder)
    refused(newest)
    with pytest.raises(
        UnreadableError, match=f"{newest.name}: the system cannot read it: Too many open files"
    ) as error:
        resume()
    assert isinstance(error.value, RunError) and not isinstance(error.value, InputError)
    comm.Barrier()
    assert names(run_folder) == ALL


@pytest.mark.parametrize(
    "dataset", ["players/generator/layout", "players/discriminator/optimizer/first_moment"]
)
def test_all_of_a_checkpoint_is_verified_before_it_is_trusted(comm, run_folder, resume, dataset):
    newest, *_ = candidates(run_folder)
    if comm.rank == 0:
        with h5py.File(newest) as file:
            position = file[dataset].id.get_offset() + file[dataset].id.get_storage_size() - 1
        flip(newest, position)
    comm.Barrier()
    training = resume()
    assert training.step == 4
    assert names(run_folder) == [*ALL[:2], "step-00000003.damaged", "step-00000003.h5", "step-00000004.h5"]


def lost_text(content):
    """Zero 64 bytes of the attribute `config`."""
    position = content.index(b"lane_size = ")
    content[position : position + 64] = bytes(64)


def lost_end(content):
    """Cut the attribute `config` short, so that what is left can be parsed."""
    content[content.index(b"lane_size = ") + len("lane_size = 4")] = 0


def garbled(content):
    """Replace the text of the attribute `config` by one that is no TOML."""
    position = content.index(b"lane_size = ")
    content[position : position + 9] = b"= = = = ="


def lost_name(content):
    """Zero the name of the attribute `config`."""
    position = content.index(b"config\0")
    content[position : position + 6] = b"\0" * 6


def lost_environment(content):
    content[content.index(b'"numpy"')] = ord("}")


@pytest.mark.parametrize("loss", [lost_text, lost_end, garbled, lost_name, lost_environment])
def test_a_lost_attribute_under_the_seal_is_damage_of_this_file_only(comm, run_folder, resume, harm, loss):
    newest, older, _ = candidates(run_folder)
    harm(newest, loss)
    training = resume()
    assert training.step == 4 and newest.with_suffix(".damaged").exists() and older.exists()


def test_a_checkpoint_of_another_configuration_ends_the_run(comm, run_folder, resume, harm):
    def other(content):
        position = content.index(b"lane_size = 4")
        content[position : position + 13] = b"lane_size = 5"

    harm(candidates(run_folder)[0], other)
    with pytest.raises(InputError, match=r"another configuration .train.lane_size: 4, not 5.; start over"):
        resume()
    assert names(run_folder) == ALL


def test_damage_that_cannot_be_renamed_ends_the_run_in_one_line(comm, run_folder, resume, monkeypatch):
    newest, *_ = candidates(run_folder)
    if comm.rank == 0:
        newest.write_bytes(b"")
    comm.Barrier()

    def refuse(*paths):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(
        RunError, match=r"damaged, and cannot be renamed to step-00000003.damaged: Read-only file system"
    ):
        resume()


def test_a_path_that_is_too_long_is_refused_before_training(comm, folder, run_file):
    deep = folder / ("d" * 200) / ("e" * 200)
    with pytest.raises(InputError, match=r"step-00000003.h5: the path is \d+ bytes too long for MPI-IO"):
        train(run_file, deep, comm, progress="off")
    assert not deep.exists()


def test_restored_numbers_are_those_that_were_saved(comm, run_folder, resume):
    before = h5py.File(candidates(run_folder)[0])["players/generator/parameters"][...]
    training = resume()
    with h5py.File(training.saved) as file:
        after = file["players/generator/parameters"][...]
    assert before.shape == after.shape and 0 < np.abs(after - before).max() < 0.1


def test_a_checkpoint_has_the_published_layout(comm, run_folder):
    with h5py.File(candidates(run_folder)[0]) as file:
        assert file.attrs["format"] == "hpcgen-checkpoint" and file.attrs["step"] == 3
        assert {"version", "seed", "lanes", "lane_size", "config", "environment"} <= set(file.attrs)
        for player in ("discriminator", "generator"):
            group = file["players"][player]
            (n,) = group["parameters"].shape
            assert group["optimizer/first_moment"].shape == (n,)
            layout = group["layout"][...]
            sizes = [int(np.prod(row["shape"][row["shape"] > 0])) for row in layout]
            assert layout["name"][0] == b"dense1/weight" and sum(sizes) == n
            assert layout["offset"].tolist() == np.cumsum([0, *sizes[:-1]]).tolist()
