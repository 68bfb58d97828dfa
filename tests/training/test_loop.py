"""Whole runs in this process: their files, their resumption, and their errors."""

import csv

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import hpcgen
from hpcgen.checkpoints.comparison import compare
from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.inspection import inspect
from hpcgen.config.reading import parse_config
from hpcgen.data.prepare import PrepareOptions, prepare
from hpcgen.data.sources.digits import Digits
from hpcgen.errors import DamagedError, InputError, RunError
from hpcgen.files import reading
from hpcgen.sampling.generation import generate
from hpcgen.sampling.options import SampleOptions
from hpcgen.sampling.origins import Prior
from hpcgen.sampling.sample import sample
from hpcgen.training import run
from hpcgen.training.folder import RunFolder
from hpcgen.training.loop import deal_of

LANES = 12


@pytest.fixture
def digits(comm, folder):
    prepare(Digits, folder / "digits.h5", comm)
    return folder / "digits.h5"


@pytest.fixture
def run_file(comm, folder, digits):
    if comm.rank == 0:
        (folder / "run.toml").write_text(
            f"""
            seed = 5
            data.path = "{digits}"
            train = {{ steps = 20, lanes = {LANES}, lane_size = 4 }}
            checkpoint = {{ every = 8, keep = 2 }}
            samples = {{ every = 10, count = 9 }}
            metrics.every = 5
            """
        )
    comm.Barrier()
    return folder / "run.toml"


def train(run_file, folder, comm, *settings, **options):
    training = run.train(run_file, folder, comm, settings, progress="off", **options)
    comm.Barrier()
    return training


def parameters(training):
    return {player: theta.data.tobytes() for player, theta in training.theta.items()}


def test_allreduce_agrees_to_rounding(comm, folder, run_file):
    exact = train(run_file, folder / "a", comm)
    close = train(run_file, folder / "b", comm, "parallel.exchange=allreduce")
    for player in exact.theta:
        assert np.allclose(exact.theta[player].data, close.theta[player].data, rtol=0, atol=2e-3)


@pytest.mark.parametrize("exchange", ["auto", "allreduce"])
def test_a_resumed_run_equals_an_uninterrupted_one(comm, folder, run_file, exchange):
    setting = f"parallel.exchange={exchange}"
    whole = train(run_file, folder / "whole", comm, setting)
    train(run_file, folder / "parts", comm, setting, "train.steps=8")
    resumed = train(run_file, folder / "parts", comm, setting)
    assert parameters(resumed) == parameters(whole)
    assert (folder / "parts" / "metrics.csv").read_text() == (folder / "whole" / "metrics.csv").read_text()
    last = "checkpoints/step-00000020.h5"
    assert compare(folder / "whole" / last, folder / "parts" / last, comm) == 0


def test_another_rank_resumes_with_the_same_bits(comm, folder, run_file):
    """Saved by all ranks, resumed by one; saved by one, resumed by all."""
    whole = train(run_file, folder / "whole", comm)
    train(run_file, folder / "many-one", comm, "train.steps=8")
    if comm.rank == 0:
        train(run_file, folder / "many-one", MPI.COMM_SELF)
        train(run_file, folder / "one-many", MPI.COMM_SELF, "train.steps=8")
    comm.Barrier()
    resumed = train(run_file, folder / "one-many", comm)
    assert parameters(resumed) == parameters(whole)
    last = "checkpoints/step-00000020.h5"
    assert compare(folder / "whole" / last, folder / "many-one" / last, comm) == 0


def test_a_run_folder_holds_what_the_readme_says(comm, folder, run_file):
    train(run_file, folder / "run", comm)
    assert [path.name for path in candidates(folder / "run")] == [
        "step-00000020.h5",
        "step-00000016.h5",
    ]
    assert sorted(path.name for path in (folder / "run" / "samples").iterdir()) == [
        "step-00000010.png",
        "step-00000020.png",
    ]
    with open(folder / "run" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [5, 10, 15, 20]
    assert set(rows[0]) == {
        "step", "discriminator/loss", "discriminator/real_logit", "discriminator/fake_logit", "generator/loss"
    }  # fmt: skip
    assert inspect(folder / "run", comm) == 0


def test_a_finished_run_has_nothing_left_to_do(comm, folder, run_file, said):
    train(run_file, folder / "run", comm)
    said()
    train(run_file, folder / "run", comm)
    assert "nothing left to do: 20 of train.steps = 20 steps are done" in said()
    longer = train(run_file, folder / "run", comm, "train.steps=24")
    assert longer.step == 24


def change(path):
    with h5py.File(path, "r+") as file:
        file["players/generator/optimizer/first_moment"][-1] += 1


def empty(path):
    path.write_bytes(b"")


def truncate(path):
    path.write_bytes(path.read_bytes()[:100_000])


def zero(path):
    path.write_bytes(bytes(512) + path.read_bytes()[512:])


@pytest.mark.parametrize("harm", [change, empty, truncate, zero])
def test_a_damaged_checkpoint_is_skipped_and_named(comm, folder, run_file, harm, said):
    whole = train(run_file, folder / "run", comm)
    newest, older = candidates(folder / "run")
    if comm.rank == 0:
        harm(newest)
    comm.Barrier()
    assert inspect(folder / "run", comm) == 1
    said()
    assert hpcgen.load(folder / "run").step == 16
    (line,) = said()
    assert line.startswith("skipped: ") and newest.name in line
    again = train(run_file, folder / "run", comm, "checkpoint.keep=1")
    warned = [line for line in said() if line.startswith("skipped: ")]
    assert len(warned) == 1 and newest.name in warned[0]
    assert parameters(again) == parameters(whole)
    kept = sorted(path.name for path in (folder / "run" / "checkpoints").iterdir())
    assert kept == ["step-00000020.damaged", "step-00000020.h5"]


def test_a_run_without_a_whole_checkpoint_does_not_start_over_unasked(comm, folder, run_file):
    train(run_file, folder / "run", comm)
    if comm.rank == 0:
        for path in candidates(folder / "run"):
            truncate(path)
    comm.Barrier()
    with pytest.raises(InputError, match="none of the run's checkpoints is whole .* start over with --fresh"):
        train(run_file, folder / "run", comm)


def test_any_flipped_byte_of_a_checkpoint_is_found(comm, folder, run_file, monkeypatch):
    """HDF5 itself crashes on some: it must not get to see them."""
    monkeypatch.setattr(reading, "RETRY_PAUSES", (0.0,))
    training = train(run_file, folder / "run", comm, "model.network=seedgan")
    if comm.rank == 0:
        content, flipped = training.saved.read_bytes(), folder / "flipped.h5"
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


def test_two_runs_do_not_share_a_folder(comm, folder, run_file, monkeypatch):
    monkeypatch.setattr("hpcgen.training.folder.LOCK_SECONDS", 0.2)
    with (
        RunFolder(folder / "run").locked(comm),
        pytest.raises(InputError, match="another run is writing there"),
    ):
        train(run_file, folder / "run", comm)
    train(run_file, folder / "run", comm)


def test_a_checkpoint_of_another_run_is_refused(comm, folder, run_file):
    train(run_file, folder / "run", comm)
    if comm.rank == 0:
        (folder / "run" / "config.toml").unlink()
    comm.Barrier()
    with pytest.raises(InputError, match="another configuration .model.generator.hidden"):
        train(run_file, folder / "run", comm, "model.generator.hidden=[64]")
    assert train(run_file, folder / "run", comm).step == 20


def test_another_configuration_or_other_data_is_refused(comm, folder, run_file, digits):
    train(run_file, folder / "run", comm, "train.steps=2")
    with pytest.raises(InputError, match="model.latent: 7, not 100; .*--fresh"):
        train(run_file, folder / "run", comm, "model.latent=7", "model.loss=minimax")
    prepare(Digits, folder / "other.h5", comm, PrepareOptions(seed=1))
    before = (folder / "run" / "config.toml").read_text()
    with pytest.raises(InputError, match="not the data that .* was trained on"):
        train(run_file, folder / "run", comm, f"data.path={folder / 'other.h5'}")
    assert (folder / "run" / "config.toml").read_text() == before
    fresh = train(run_file, folder / "run", comm, "model.latent=7", fresh=True)
    assert fresh.step == 20
    assert (folder / "run" / "old-1" / "checkpoints" / "step-00000002.h5").exists()


def test_a_loss_that_is_not_finite_stops_the_run(comm, folder, run_file):
    train(
        run_file,
        folder / "run",
        comm,
        "optimizer.generator.learning_rate=1e30",
        "train.steps=1",
        "checkpoint.every=1",
    )
    with pytest.raises(
        RunError, match=r"step \d+: the (discriminator|generator)'s (loss is|numbers are)"
    ) as error:
        train(run_file, folder / "run", comm, "optimizer.generator.learning_rate=1e30", "checkpoint.every=1")
    saved = candidates(folder / "run")
    assert f"the last good checkpoint is {saved[0]}" in str(error.value)
    for player in hpcgen.load(saved[0]).players.values():
        assert np.isfinite(player.data).all()


def test_ranks_and_lanes_must_fit(comm):
    config = parse_config('data.path = "x"', [f"train.lanes={max(1, comm.size - 1)}"])
    if comm.size > 1:
        with pytest.raises(
            InputError, match=f"{comm.size} ranks are more than train.lanes = {comm.size - 1}"
        ):
            deal_of(config, comm.size)
    config = parse_config('data.path = "x"', [f"parallel.weights={[1] * (comm.size + 1)}"])
    with pytest.raises(
        InputError, match=f"parallel.weights has {comm.size + 1} numbers for {comm.size} ranks"
    ):
        deal_of(config, comm.size)


def test_a_checkpoint_reads_back(comm, folder, run_file):
    training = train(run_file, folder / "run", comm)
    state = hpcgen.load(folder / "run" / "checkpoints" / "step-00000020.h5")
    assert (state.step, state.seed, state.schema) == (20, 5, training.shards.schema)
    assert state.config == training.config
    for player, vector in state.players.items():
        assert vector.data.tobytes() == training.theta[player].data.tobytes()
        assert list(vector) == list(training.theta[player])
        assert set(state.optimizer[player]) == {"first_moment", "second_moment"}
    weight = state.players["generator"]["dense1/weight"]
    assert weight.shape == (100, 256) and np.array_equal(weight, training.theta["generator"]["dense1/weight"])
    assert hpcgen.load(folder / "run").step == 20
    with pytest.raises(InputError, match="holds no whole checkpoint"):
        hpcgen.load(folder)


def test_a_checkpoint_has_the_published_layout(comm, folder, run_file):
    train(run_file, folder / "run", comm)
    with h5py.File(folder / "run" / "checkpoints" / "step-00000020.h5") as file:
        assert file.attrs["format"] == "hpcgen-checkpoint" and file.attrs["step"] == 20
        assert {"version", "seed", "lanes", "lane_size", "config", "environment"} <= set(file.attrs)
        for player in ("discriminator", "generator"):
            group = file["players"][player]
            (n,) = group["parameters"].shape
            assert group["optimizer/first_moment"].shape == (n,)
            layout = group["layout"][...]
            sizes = [int(np.prod(row["shape"][row["shape"] > 0])) for row in layout]
            assert layout["name"][0] == b"dense1/weight" and sum(sizes) == n
            assert layout["offset"].tolist() == np.cumsum([0, *sizes[:-1]]).tolist()


def test_compare_tells_the_largest_difference(comm, folder, run_file, said):
    train(run_file, folder / "a", comm)
    train(run_file, folder / "b", comm, "optimizer.generator.learning_rate=0.0003")
    a, b = (folder / name / "checkpoints" / "step-00000020.h5" for name in "ab")
    said()
    assert compare(a, b, comm) == 1
    expected = np.abs(
        hpcgen.load(a).players["generator"].data - hpcgen.load(b).players["generator"].data.astype(float)
    ).max()
    if comm.rank == 0:
        assert f"players/generator/parameters: differs by up to {expected:.9g}" in said()
    assert compare(a, a, comm) == 0


def test_samples_are_the_same_at_any_number_of_ranks(comm, folder, run_file):
    training = train(run_file, folder / "run", comm)
    path = folder / "run"
    for out in ("many.h5", "many.npy"):
        sample(path, comm, SampleOptions(150, 3, folder / out, folder / "many.png"))
    comm.Barrier()
    samples = np.load(folder / "many.npy")
    assert samples.shape == (150, 8, 8, 1) and samples.dtype == np.uint8
    with h5py.File(folder / "many.h5") as file:
        assert np.array_equal(file["samples"], samples)
    if comm.rank == 0:
        sample(path, MPI.COMM_SELF, SampleOptions(70, 3, folder / "one.npy"))
        assert np.array_equal(np.load(folder / "one.npy"), samples[:70])
    other = generate(training.model, training.theta, training.shards.schema, Prior(training.model, 4), 0, 150)
    assert not np.array_equal(other, samples)


def test_inspect_tells_damage(comm, folder, run_file, digits, said):
    training = train(run_file, folder / "run", comm)
    assert inspect(digits, comm) == 0
    assert inspect(training.saved, comm) == 0
    if comm.rank == 0:
        for path, name in ((digits, "samples"), (training.saved, "players/generator/parameters")):
            with h5py.File(path, "r+") as file:
                file[name][3] += 1
    comm.Barrier()
    for path in (digits, training.saved, folder / "run"):
        said()
        assert inspect(path, comm) == 1
        assert any("DAMAGED" in line for line in said())
    with pytest.raises(DamagedError):
        hpcgen.load(training.saved)
    with pytest.raises(InputError, match="no such file"):
        inspect(folder / "nothing", comm)


def test_a_checkpoint_of_another_version_stays_as_it_is(comm, folder, run_file, monkeypatch):
    monkeypatch.setattr("hpcgen.checkpoints.saving.VERSION", 1)
    train(run_file, folder / "run", comm)
    monkeypatch.undo()
    with pytest.raises(InputError, match="checkpoint version 1; this hpcgen reads version 2"):
        train(run_file, folder / "run", comm, "train.steps=30")
    assert {path.suffix for path in (folder / "run" / "checkpoints").iterdir()} == {".h5"}


def test_figures_of_the_past_stay_in_metrics_csv(comm, folder, run_file):
    train(run_file, folder / "run", comm, "train.steps=10", "evaluate.every=5", "evaluate.count=50")
    before = list(csv.DictReader((folder / "run" / "metrics.csv").read_text().splitlines()))
    train(run_file, folder / "run", comm, "train.steps=20")
    after = list(csv.DictReader((folder / "run" / "metrics.csv").read_text().splitlines()))
    assert after[:2] == before
    assert (
        float(before[0]["evaluate/precision/real_data"]) > 0.5
        and after[3]["evaluate/precision/real_data"] == ""
    )


def test_a_checkpoint_is_there_before_figures_are_taken(comm, folder, run_file, monkeypatch):
    def fails(self, theta):
        raise RunError("no figure")

    monkeypatch.setattr("hpcgen.evaluation.evaluation.Evaluation.measures", fails)
    with pytest.raises(RunError, match="no figure"):
        train(run_file, folder / "run", comm, "evaluate.every=8", "evaluate.count=50")
    comm.Barrier()
    assert [path.name for path in candidates(folder / "run")] == ["step-00000008.h5"]


def test_what_cannot_be_evaluated_leaves_the_run_folder_alone(comm, folder, run_file):
    train(run_file, folder / "run", comm)
    with pytest.raises(InputError, match="no such file"):
        train(run_file, folder / "run", comm, "evaluate.every=5", "evaluate.data=missing.h5", fresh=True)
    assert (folder / "run" / "checkpoints" / "step-00000020.h5").exists() and not (
        folder / "run" / "old-1"
    ).exists()


RICH = """
    data = {{ path = "{data}", block = 1 }}
    train = {{ steps = 6, lanes = 4, lane_size = 4 }}
    checkpoint.every = 3
    [model]
    network = "dcgan28"
    loss = "wasserstein"
    gradient_penalty = 10.0
    discriminator_steps = 2
    spectral_norm = true
    conditional = true
    generator.width = 16
    discriminator.width = 16
    [optimizer]
    schedule = "cosine"
    decay_steps = 6
    average = 0.9
    """


def test_all_that_a_run_carries_on_is_in_its_checkpoint(comm, folder, random):
    """Turns, spectral norms' vectors, averages, schedules, and the place in data that are read in blocks."""
    if comm.rank == 0:
        with h5py.File(folder / "data.h5", "w") as file:
            file["samples"] = random.integers(0, 255, (5000, 32, 32, 1), np.uint8)
            file["labels"] = random.integers(0, 3, 5000)
        (folder / "rich.toml").write_text(RICH.format(data=folder / "data.h5"))
    comm.Barrier()
    whole = train(folder / "rich.toml", folder / "whole", comm)
    if comm.rank == 0:
        run.train(
            folder / "rich.toml",
            folder / "parts",
            MPI.COMM_SELF,
            ["train.steps=3"],
            progress="off",
        )
    comm.Barrier()
    parts = train(folder / "rich.toml", folder / "parts", comm)
    assert parameters(parts) == parameters(whole)
    assert compare(folder / "whole", folder / "parts", comm) == 0
