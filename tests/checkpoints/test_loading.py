import h5py
import numpy as np
import pytest

import hpcgen
from hpcgen.checkpoints import loading
from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.loading import load_together
from hpcgen.checkpoints.opening import ForeignError
from hpcgen.errors import DamagedError, InputError, UnreadableError
from hpcgen.files import reading
from hpcgen.models.gan import GAN
from hpcgen.nn.buffers import Rule
from hpcgen.nn.vector import Layout
from hpcgen.training.run import train


@pytest.fixture
def opened(monkeypatch):
    """The names of the checkpoints that are opened, in order."""
    names, open_checkpoint = [], loading.open_checkpoint
    monkeypatch.setattr(
        loading, "open_checkpoint", lambda path: names.append(path.name) or open_checkpoint(path)
    )
    return names


def test_the_newest_whole_checkpoint_is_read_once(comm, run_folder, opened):
    assert hpcgen.load(run_folder).step == 3
    assert opened == ["step-00000003.h5"]
    assert load_together(run_folder, comm).step == 3
    assert opened == ["step-00000003.h5"] * 2


def test_an_unreadable_checkpoint_is_passed_over_and_named(comm, run_folder, refused, said):
    newest, older, _ = candidates(run_folder)
    refused(newest)
    if comm.rank == comm.size - 1:
        said()
        assert hpcgen.load(run_folder).path == older
        assert f"{newest.name}: the system cannot read it: Too many open files" in said()[0]
        with pytest.raises(UnreadableError):
            hpcgen.load(newest)
    comm.Barrier()
    assert newest.exists()


def test_all_ranks_load_the_same_checkpoint(comm, run_folder, refused, caplog):
    newest, older, _ = candidates(run_folder)
    refused(newest)
    assert load_together(run_folder, comm).path == older
    assert [message for message in caplog.messages if "skipped" in message and newest.name in message]


def test_a_run_without_a_readable_checkpoint_is_not_called_damaged(comm, run_folder, refused):
    refused(*candidates(run_folder))
    with pytest.raises(UnreadableError, match="Too many open files"):
        load_together(run_folder, comm)


def test_a_run_without_a_whole_checkpoint_says_so(comm, run_folder, caplog):
    if comm.rank == 0:
        for path in candidates(run_folder):
            path.write_bytes(b"")
    comm.Barrier()
    with pytest.raises(InputError, match="holds no whole checkpoint"):
        load_together(run_folder, comm)
    assert sum("(damaged)" in message for message in caplog.messages) == 3


@pytest.mark.parametrize("lost", [b"layout\0", b"players\0", b"parameters\0"])
def test_a_lost_name_under_the_seal_is_damage(comm, run_folder, harm, lost):
    newest, older, _ = candidates(run_folder)

    def lose(content):
        content[content.index(lost)] = ord("#")

    harm(newest, lose)
    with pytest.raises(DamagedError):
        hpcgen.load(newest)
    assert hpcgen.load(run_folder).path == older


def test_the_optimizer_may_stay_unread(comm, run_folder):
    state = hpcgen.load(run_folder, optimizer=False)
    assert state.optimizer == {"discriminator": {}, "generator": {}}
    with h5py.File(state.path) as file:
        assert state.players["generator"].data.shape == file["players/generator/parameters"].shape


def test_a_checkpoint_reads_back(comm, folder, resume):
    training = resume()
    state = hpcgen.load(training.saved)
    assert (state.step, state.seed, state.schema) == (4, 0, training.shards.schema)
    assert state.config == training.config
    for player, vector in state.players.items():
        assert vector.data.tobytes() == training.theta[player].data.tobytes()
        assert list(vector) == list(training.theta[player])
        assert set(state.optimizer[player]) == {"first_moment", "second_moment"}
    weight = state.players["generator"]["dense1/weight"]
    assert weight.shape == (100, 128)
    assert np.array_equal(weight, training.theta["generator"]["dense1/weight"])
    assert state.averages == {}
    for player, vector in state.sampled.items():
        assert vector.data.tobytes() == state.players[player].data.tobytes()
    with pytest.raises(InputError, match="holds no whole checkpoint"):
        hpcgen.load(folder)


def test_any_flipped_byte_of_a_checkpoint_is_found(comm, folder, run_folder, monkeypatch):
    """HDF5 itself crashes on some: it must not get to see them."""
    monkeypatch.setattr(reading, "RETRY_PAUSES", (0.0,))
    if comm.rank == 0:
        content, flipped = candidates(run_folder)[0].read_bytes(), folder / "flipped.h5"
        random = np.random.default_rng(3)
        positions = [
            *random.integers(0, 600, 100),
            *random.integers(4096, 12_000, 300),
            *random.integers(0, len(content), 300),
        ]
        for position in positions:
            changed = bytearray(content)
            changed[position] ^= 1 << random.integers(8)
            flipped.write_bytes(changed)
            try:
                state = hpcgen.load(flipped)
            except InputError:
                continue
            raise AssertionError(f"byte {position} changed, and {state.path} was read")


def trained_with_buffers(comm, folder):
    """Train a network with batch norm, whose buffers follow means, and spectral norm, whose are replaced."""
    if comm.rank == 0:
        with h5py.File(folder / "x.h5", "w") as file:
            file["samples"] = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 1), np.uint8)
            file.attrs["kind"] = "image"
        (folder / "run.toml").write_text(
            f"""
            data.path = "{folder / "x.h5"}"
            model.network = "dcgan64"
            model.spectral_norm = true
            model.generator.width = 4
            model.discriminator = {{ width = 4, normalization = false }}
            optimizer.average = 0.5
            train = {{ steps = 2, lanes = 4, lane_size = 2 }}
            """
        )
    comm.Barrier()
    return train(folder / "run.toml", folder / "run", comm, progress="off")


def test_layouts_are_those_of_the_model(comm, folder):
    """Names, shapes, and the rules by which buffers follow the steps."""
    training = trained_with_buffers(comm, folder)
    comm.Barrier()
    state = hpcgen.load(training.saved)
    assert state.players.keys() == training.players.keys() == state.averages.keys()
    rules = set()
    for player, theta in training.theta.items():
        for loaded in (state.players[player], state.averages[player]):
            assert loaded.layout.shapes == theta.layout.shapes
            assert loaded.layout.offsets == theta.layout.offsets
            assert loaded.layout.buffer_rules() == theta.layout.buffer_rules()
        assert state.players[player].data.tobytes() == theta.data.tobytes()
        rules |= {rule for _, rule in theta.layout.buffer_rules()}
    assert rules == set(Rule)


@pytest.mark.parametrize("change", ["name", "shape", "players", "model"])
def test_a_checkpoint_of_another_model_is_foreign(comm, run_folder, monkeypatch, change):
    """One that another hpcgen wrote, in which a layer had another name, for example."""
    layouts = GAN.layouts.fget

    def other(self):
        known = layouts(self)
        if change == "model":
            raise InputError("samples do not suit it")
        if change == "players":
            return {"generator": known["generator"]}
        shapes = known["generator"].shapes_of(known["generator"].parameters)
        first, shape = next(iter(shapes.items()))
        if change == "name":
            shapes = {f"new/{first}": shape, **{name: shapes[name] for name in list(shapes)[1:]}}
        else:
            shapes[first] = shape[::-1]
        return {**known, "generator": Layout(shapes)}

    monkeypatch.setattr(GAN, "layouts", property(other))
    with pytest.raises(
        ForeignError, match="step-00000003.h5: written by a version of hpcgen with another model"
    ):
        hpcgen.load(candidates(run_folder)[0])
