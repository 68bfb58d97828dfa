"""Whether two checkpoints hold the same bits, and where they do not."""

import numpy as np
import pytest
from stored import flip

import hpcgen
from hpcgen.checkpoints import comparison
from hpcgen.checkpoints.comparison import compare
from hpcgen.checkpoints.folder import candidates
from hpcgen.errors import DamagedError, InputError, UnreadableError

# Each of up to four ranks compares a part of them, and a last one too short for all.
N = 5 * 4096 + 3
WEIGHTS = np.sin(np.arange(N, dtype=np.float32))


@pytest.fixture
def told(comm, said):
    """told(a, b): the exit status, and the lines that the first rank logs; None on the others."""

    def tell(a, b):
        said()
        status = compare(a, b, comm)
        assert comm.allgather(status) == [status] * comm.size
        return status, comm.bcast(said())

    return tell


def changed(position, value):
    weights = WEIGHTS.copy()
    weights[position] = value
    return weights


def test_the_same_bits(saved, told):
    a = saved("a.h5", WEIGHTS, velocity=WEIGHTS)
    assert told(a, a) == told(a, saved("b.h5", WEIGHTS, velocity=WEIGHTS)) == (0, ["the same bits"])


@pytest.mark.parametrize("positions", [(0,), (4096, N - 1), range(0, N, 1024)], ids=["first", "ends", "many"])
def test_the_largest_difference_is_told_whoever_finds_it(saved, told, monkeypatch, positions):
    """However many bytes are compared at a time."""
    other = WEIGHTS.copy()
    for i, position in enumerate(positions):
        other[position] += np.float32(0.25 * (i + 1))
    largest = np.abs(other.astype(float) - WEIGHTS).max()
    expected = [
        f"players/player/parameters: differs by up to {largest:.9g}",
        f"different; largest difference {largest:.9g}",
    ]
    a, b = saved("a.h5", WEIGHTS, velocity=WEIGHTS), saved("b.h5", other, velocity=WEIGHTS)
    assert told(a, b) == (1, expected)
    monkeypatch.setattr(comparison, "COMPARED_BYTES", 1 << 12)
    assert told(b, a) == (1, expected)


@pytest.mark.parametrize(
    "value, difference", [(np.nan, "inf"), (np.inf, "inf"), (-np.inf, "inf"), (-0.0, "0")]
)
def test_other_bits_are_other_bits(saved, told, value, difference):
    a, b = saved("a.h5", changed(7, 0.0)), saved("b.h5", changed(7, value))
    assert told(a, b) == (
        1,
        [
            f"players/player/parameters: differs by up to {difference}",
            f"different; largest difference {difference}",
        ],
    )
    assert told(b, b)[0] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_infinite_difference_is_the_largest_whoever_finds_it(saved, told, value):
    """Equal infinities in the same rows do not hide it."""
    a, b = (np.where(np.arange(N) % 4096 == 1, np.inf, WEIGHTS).astype(np.float32) for _ in range(2))
    b[[0, 4096, N - 1]] = 1e30, value, 2e30
    expected = [
        "players/player/parameters: differs by up to inf",
        "different; largest difference inf",
    ]
    assert told(saved("a.h5", a), saved("b.h5", b)) == (1, expected)


def test_the_state_of_the_optimizer_counts(saved, told):
    a, b = saved("a.h5", WEIGHTS, velocity=WEIGHTS), saved("b.h5", WEIGHTS, velocity=changed(9, 8.0))
    status, lines = told(a, b)
    assert status == 1 and lines[0].startswith("players/player/optimizer/velocity: differs by up to 7.58")


def test_what_only_one_of_them_has(saved, told):
    a, b = saved("a.h5", WEIGHTS), saved("b.h5", WEIGHTS, velocity=WEIGHTS)
    expected = [
        f"players/player/optimizer/velocity: only in {b}",
        "different; largest difference inf",
    ]
    assert told(a, b) == told(b, a) == (1, expected)


def test_other_shapes_and_names(saved, told):
    a, b = saved("a.h5", WEIGHTS), saved("b.h5", WEIGHTS[:-1])
    shapes = f"players/player/parameters: float32 ({N},) and float32 ({N - 1},)"
    assert told(a, b) == (1, ["players/player/layout: differs", shapes, "different; largest difference inf"])
    c = saved("c.h5", WEIGHTS, part="v")
    assert told(a, c) == (1, ["players/player/layout: differs", "different; largest difference inf"])


def test_other_steps_are_other_checkpoints(saved, told):
    a, b = saved("a.h5", WEIGHTS, 7), saved("b.h5", WEIGHTS, 8)
    assert told(a, b) == (1, ["step: 7 and 8", "different; largest difference 0"])


def test_steps_of_a_run_differ_by_what_was_learnt(comm, run_folder, told):
    newest, older, _ = candidates(run_folder)
    states = [hpcgen.load(path) for path in (newest, older)]
    status, lines = told(newest, older)
    assert status == 1
    for player in states[0].players:
        new, old = (state.players[player].data.astype(float) for state in states)
        assert f"players/{player}/parameters: differs by up to {np.abs(new - old).max():.9g}" in lines
        for slot in states[0].optimizer[player]:
            assert any(line.startswith(f"players/{player}/optimizer/{slot}: differs by up") for line in lines)


def test_a_run_folder_stands_for_its_newest_whole_checkpoint(comm, run_folder, said):
    newest, middle, oldest = candidates(run_folder)
    if comm.rank == 0:
        newest.write_bytes(b"")
    comm.Barrier()
    assert compare(run_folder, middle, comm) == 0
    lines = said()
    assert lines[-1] == "the same bits" and any("skipped" in line for line in lines)
    assert compare(run_folder, oldest, comm) == 1
    assert "step: 2 and 1" in said() or comm.rank


def test_what_is_no_whole_checkpoint_is_not_compared(comm, run_folder, run_file, said):
    newest, middle, _ = candidates(run_folder)
    with pytest.raises(InputError, match="not a checkpoint of hpcgen$"):
        compare(newest, run_file.with_name("digits.h5"), comm)
    if comm.rank == 0:
        flip(newest, newest.stat().st_size // 2)
    comm.Barrier()
    with pytest.raises(DamagedError):
        compare(newest, middle, comm)


def test_a_file_that_cannot_be_read_is_not_called_different(comm, run_folder, refused):
    newest, *_ = candidates(run_folder)
    refused(newest)
    with pytest.raises(UnreadableError, match="Too many open files"):
        compare(newest, newest, comm)
