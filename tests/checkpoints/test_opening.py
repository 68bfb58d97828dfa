import h5py
import pytest
from stored import flip

from hpcgen.checkpoints import opening
from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.opening import (
    ForeignError,
    config_of,
    open_checkpoint,
    part_of_run,
    require_same_run,
    verify,
)
from hpcgen.config.reading import parse_config
from hpcgen.errors import AccessError, DamagedError, InputError, UnreadableError


def test_a_checkpoint_tells_its_attributes(comm, run_folder):
    with open_checkpoint(candidates(run_folder)[0]) as (file, attributes):
        assert attributes["step"] == 3 and attributes["lanes"] == 4
        assert "players/generator/parameters" in file


def test_each_part_of_a_checkpoint_is_verified(comm, run_folder):
    path = candidates(run_folder)[0]
    verify(path, comm)
    with h5py.File(path) as file:
        names = []
        file["players"].visititems(
            lambda name, item: names.append(item.name) if hasattr(item, "dtype") else None
        )
        positions = {name: file[name].id.get_offset() for name in names}
    comm.Barrier()
    for name, position in positions.items():
        if comm.rank == 0:
            flip(path, position)
        comm.Barrier()
        with pytest.raises(DamagedError, match=f"{name} differs from its checksum"):
            verify(path, comm)
        comm.Barrier()
        if comm.rank == 0:
            flip(path, position)
        comm.Barrier()
    verify(path, comm)


def test_another_version_is_foreign(comm, run_folder, monkeypatch):
    monkeypatch.setattr(opening, "VERSION", 3)
    message, path = "checkpoint version 2; this hpcgen reads version 3", candidates(run_folder)[0]
    with pytest.raises(ForeignError, match=message), open_checkpoint(path):
        pass


def test_other_files_are_no_checkpoints(comm, run_folder, folder):
    data = run_folder / "data.h5"
    if comm.rank == 0:
        with h5py.File(data, "w") as file:
            file["samples"] = [[1.0]]
    comm.Barrier()
    with pytest.raises(InputError, match="not a checkpoint of hpcgen") as error, open_checkpoint(data):
        pass
    assert not isinstance(error.value, DamagedError)


@pytest.mark.parametrize(
    "error", [AccessError("x"), UnreadableError("x"), ForeignError("x"), DamagedError("x")]
)
def test_what_is_no_damage_stays_none_in_a_run(error):
    with pytest.raises(type(error)) as caught, part_of_run("x"):
        raise error
    assert caught.value is error


def test_a_file_of_a_run_that_is_no_checkpoint_is_damage():
    with pytest.raises(DamagedError, match=r"x: not an HDF5 file \(damaged\)"), part_of_run("x"):
        raise InputError("x: not an HDF5 file")


def test_a_vanished_checkpoint_is_no_damage(comm, run_folder):
    with pytest.raises(AccessError, match="no such file"):
        verify(run_folder / "checkpoints" / "step-00000009.h5", comm)


def test_a_run_knows_its_own(comm, run_folder, run_file):
    path = candidates(run_folder)[0]
    with open_checkpoint(path) as (_, attributes):
        config = config_of(path, attributes)
    require_same_run(path, attributes, config, attributes["data"])
    with pytest.raises(ForeignError, match=r"not the data that .* was trained on"):
        require_same_run(path, attributes, config, "other data")
    with pytest.raises(ForeignError, match=r"has another configuration .seed: 8, not 0"):
        require_same_run(path, attributes, parse_config(config.toml(), ["seed=8"]), attributes["data"])
    with pytest.raises(ForeignError, match="written by a version of hpcgen with other keys"):
        config_of(path, {"config": "[future]\nx = 1\n"})
