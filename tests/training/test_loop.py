"""The loop: its steps and its hooks, what ends it, and what it goes on from."""

from contextlib import ExitStack, closing

import h5py
import numpy as np
import pytest
from networks import LANES, run_file
from stored import flip

from hpcgen.checkpoints.opening import ForeignError
from hpcgen.config.reading import parse_config
from hpcgen.errors import InputError, RunError, UnreadableError
from hpcgen.files import reading
from hpcgen.runtime import environment
from hpcgen.training import loop
from hpcgen.training.loop import Training, deal_of


@pytest.fixture
def made(comm, written):
    """made(*settings): the Training of a small regressor over six steps."""
    text = run_file("regressor", written("columns"))
    with ExitStack() as stack:

        def make(*settings):
            config = parse_config(text, ["train.steps=6", *settings])
            return stack.enter_context(closing(Training(config, comm)))

        yield make


def bits(training):
    return training.theta["regressor"].data.tobytes()


def test_hooks_are_called_after_each_step(comm, made):
    training, calls = made(), []
    training.run([lambda *call: calls.append(call), lambda *call: calls.append(call)])
    assert [last for _, _, last in calls] == [False] * 10 + [True] * 2
    assert training.step == 6 and all(given is training for given, _, _ in calls)
    assert all(statistics["regressor"].keys() == {"loss", "squared_error"} for _, statistics, _ in calls)
    losses = [statistics["regressor"]["loss"] for _, statistics, _ in calls]
    assert losses[::2] == losses[1::2] and len(set(losses)) == 6
    assert comm.allgather(losses) == [losses] * comm.size


class Stop:
    """True on one rank once a training has reached a step."""

    def __init__(self, training, step, rank):
        self._training, self._step, self._here = training, step, training.mesh.world.rank == rank

    def __bool__(self):
        return self._here and self._training.step >= self._step


def test_a_rank_that_must_stop_stops_all_after_the_same_step(comm, made):
    training, seen = made(), []
    with pytest.raises(RunError, match="stopped by a signal after step 3, saved in None; run again to"):
        training.run(
            [lambda training, _, last: seen.append((training.step, last))],
            Stop(training, 2, comm.size - 1),
        )
    assert seen == [(1, False), (2, False), (3, True)] and training.step == 3


def test_a_run_that_must_stop_after_its_last_step_has_ended_well(comm, made):
    training = made()
    training.run([], Stop(training, 5, 0))
    assert training.step == 6


def test_a_loss_that_is_not_finite_ends_the_run(comm, folder, made):
    training = made()
    training.theta["regressor"].data[0] = np.inf
    with pytest.raises(RunError, match="step 1: the regressor's loss is nan; there is no checkpoint yet"):
        training.run([])
    training.saved = folder / "good.h5"
    with pytest.raises(RunError, match="the last good checkpoint is .*good.h5; lower optimizer.learning"):
        training.run([])


@pytest.mark.parametrize("where", ["theta", "slot"])
def test_numbers_that_are_not_finite_are_not_saved(comm, folder, made, where):
    """Whichever rank has them."""
    training = made()
    state = training.players["regressor"].state
    numbers = state.theta.data if where == "theta" else state.parts["optimizer/first_moment"]
    owners = [rank for rank, size in enumerate(comm.allgather(numbers.size)) if size]
    if comm.rank == owners[-1]:
        numbers[-1] = np.nan
    with pytest.raises(RunError, match="step 0: the regressor's numbers are no longer finite; there is no"):
        training.save(folder / "x.h5")
    assert not (folder / "x.h5").exists() and training.saved is None


@pytest.fixture
def saved(comm, folder, made):
    """The checkpoints of steps 6 and 3, newest first, and the bits of step 3."""
    training, kept = made(), []

    def save(training, statistics, last):
        if training.step in (3, 6):
            training.save(folder / f"step-{training.step:08d}.h5")
            kept.append(bits(training))

    training.run([save])
    assert training.saved == folder / "step-00000006.h5"
    return [folder / "step-00000006.h5", folder / "step-00000003.h5"], kept[0]


def change(path):
    with h5py.File(path, "r+") as file:
        file["players/regressor/optimizer/first_moment"][-1] += 1


def empty(path):
    path.write_bytes(b"")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def zero(path):
    path.write_bytes(bytes(512) + path.read_bytes()[512:])


@pytest.mark.parametrize("harm", [change, empty, truncate, zero])
def test_a_damaged_checkpoint_is_renamed_and_the_next_one_taken(comm, made, saved, said, harm):
    (newest, older), expected = saved
    if comm.rank == 0:
        harm(newest)
    comm.Barrier()
    training = made()
    said()
    training.resume([newest, older])
    assert (training.step, training.saved) == (3, older) and bits(training) == expected
    (line,) = said()
    assert line.startswith(f"skipped: {newest}: ") and line.endswith("it is now step-00000006.damaged")
    assert newest.with_suffix(".damaged").exists() and not newest.exists()


def test_no_whole_checkpoint_is_no_beginning(comm, made, saved):
    paths, _ = saved
    if comm.rank == 0:
        for path in paths:
            flip(path, path.stat().st_size // 2)
    comm.Barrier()
    with pytest.raises(
        InputError,
        match=r"is whole \(step-00000006.damaged, step-00000003.damaged\); start over with",
    ):
        made().resume(paths)
    training = made()
    training.resume([])
    assert training.step == 0 and training.saved is None


def test_a_checkpoint_of_another_version_or_run_stays_as_it_is(comm, made, saved, monkeypatch):
    paths, _ = saved
    with pytest.raises(ForeignError, match="has another configuration .train.lane_size: 2, not 3."):
        made("train.lane_size=2").resume(paths)
    monkeypatch.setattr("hpcgen.checkpoints.opening.VERSION", 3)
    with pytest.raises(ForeignError, match="checkpoint version 2; this hpcgen reads version 3"):
        made().resume(paths)
    assert all(path.exists() for path in paths)


def test_a_checkpoint_that_the_system_cannot_read_stays_as_it_is(comm, made, saved, monkeypatch):
    paths, opened = saved[0], h5py.File

    def refusing(path, *arguments, **options):
        if comm.rank == comm.size - 1 and path == paths[0]:
            raise OSError(5, "Input/output error")
        return opened(path, *arguments, **options)

    training = made()
    monkeypatch.setattr(reading, "RETRY_PAUSES", (0.0,))
    monkeypatch.setattr(h5py, "File", refusing)
    with pytest.raises(UnreadableError, match="step-00000006.h5: the system cannot read it"):
        training.resume(paths)
    assert all(path.exists() for path in paths)


def test_other_software_is_named(comm, made, saved, said, monkeypatch):
    """Where the bits depend on it."""
    (newest, _), _ = saved
    now = environment()
    monkeypatch.setattr(loop, "environment", lambda: {**now, "blas": "another", "python": "4"})
    training = made()
    said()
    training.resume([newest])
    (line,) = said()
    assert line.startswith(f"{newest} was written with other software (blas another, not {now['blas']}): ")


def test_ranks_that_compute_differently_are_named(comm, made, said, monkeypatch):
    training, now = made(), environment()
    monkeypatch.setattr(loop, "environment", lambda: {**now, "simd": f"of rank {comm.rank}"})
    said()
    training.warn_of_mixed_nodes()
    lines = said()
    assert len(lines) == (comm.size > 1)
    assert all(f"of rank {rank}" in lines[0] for rank in range(comm.size) if lines)
    monkeypatch.setattr(loop, "environment", lambda: {**now, "python": f"of rank {comm.rank}"})
    training.warn_of_mixed_nodes()
    assert said() == []


def test_allreduce_agrees_to_rounding(made):
    exact, close = made(), made("parallel.exchange=allreduce")
    for training in (exact, close):
        training.run([])
    assert close.theta["regressor"].data == pytest.approx(exact.theta["regressor"].data, abs=1e-6)


def test_a_model_has_no_more_numbers_than_mpi_counts(made, monkeypatch):
    size = made().players["regressor"].exchange.layout.size
    monkeypatch.setattr(loop, "LARGEST_COUNT", size)
    made()
    monkeypatch.setattr(loop, "LARGEST_COUNT", size - 1)
    with pytest.raises(InputError, match=f"has {size:,} numbers; MPI can exchange at most {size - 1:,}"):
        made()


def test_a_run_that_does_not_begin_releases_what_it_opened(made, monkeypatch):
    closed = []
    monkeypatch.setattr(loop.Shards, "close", lambda self: closed.append("shards"))
    monkeypatch.setattr(loop.Mesh, "close", lambda self: closed.append("mesh"))
    monkeypatch.setattr(loop, "LARGEST_COUNT", 0)
    with pytest.raises(InputError, match="can exchange at most 0"):
        made()
    assert closed[-2:] == ["shards", "mesh"]


@pytest.mark.parametrize(
    "size, weights, counts", [(3, [], [2, 2, 3]), (3, [1, 1, 5], [1, 1, 5]), (1, [2], [7])]
)
def test_lanes_are_dealt_out_evenly_or_by_weights(size, weights, counts):
    config = parse_config('data.path = "x"', [f"train.lanes={LANES}", f"parallel.weights={weights}"])
    assert deal_of(config, size).lanes.counts == counts


@pytest.mark.parametrize("size", [1, 2, 3])
def test_ranks_and_lanes_must_fit(size):
    config = parse_config('data.path = "x"', [f"train.lanes={size}"])
    with pytest.raises(InputError, match=f"{size + 1} ranks are more than train.lanes = {size}"):
        deal_of(config, size + 1)
    config = parse_config('data.path = "x"', [f"parallel.weights={[1] * (size + 1)}"])
    with pytest.raises(InputError, match=f"parallel.weights has {size + 1} numbers for {size} ranks"):
        deal_of(config, size)
