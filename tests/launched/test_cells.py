"""Samples divided into cells, in jobs of many ranks: the same bits, no deadlock, one line for bad input."""

import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

LAST = "checkpoints/step-00000006.h5"


@pytest.fixture(scope="module")
def made():
    """What one test makes for all."""
    return {}


@pytest.fixture
def cells_file(made, tmp_path_factory, hpcgen):
    """The run file of a network with batch norm on images of 16 x 16 places in 2 x 2 cells."""
    if not made:
        folder = tmp_path_factory.mktemp("cells")
        assert hpcgen(1, "prepare", "digits", folder / "digits.h5", "--size", "16").status == 0
        made["file"] = folder / "run.toml"
        made["file"].write_text(
            f"""
            data.path = "{folder / "digits.h5"}"
            train = {{ steps = 6, lanes = 4, lane_size = 4, cells = [2, 2] }}
            checkpoint.every = 3
            metrics.every = 1
            samples.count = 4
            [model]
            network = "dcgan64"
            generator.width = 8
            discriminator.width = 8
            """
        )
    return made["file"]


@pytest.fixture
def alone(made, cells_file, hpcgen):
    """The run folder of one rank."""
    if "alone" not in made:
        made["alone"] = cells_file.parent / "alone"
        assert hpcgen(1, "train", cells_file, "--run", made["alone"]).status == 0
    return made["alone"]


def settings(*keys):
    return [word for key in keys for word in ("--set", key)]


def require_same(hpcgen, run, alone):
    """Require the same checkpoint, rows of metrics and picture."""
    ended = hpcgen(0, "compare", run / LAST, alone / LAST)
    assert ended.status == 0 and ended.out == "the same bits\n"
    for name in ("metrics.csv", "samples/step-00000006.png"):
        assert (run / name).read_bytes() == (alone / name).read_bytes()


@pytest.mark.parametrize(
    "ranks, deal",
    [
        (6, ["parallel.space=2", "parallel.weights=[1, 2, 3, 1, 1, 2]"]),
        (6, ["parallel.space=3"]),
        (8, []),
        (8, ["parallel.space=4", "parallel.weights=[1, 1, 1, 1, 5, 1, 1, 1]"]),
    ],
)
def test_any_number_of_ranks_and_any_deal(hpcgen, tmp_path, cells_file, alone, ranks, deal):
    ended = hpcgen(ranks, "train", cells_file, "--run", tmp_path / "run", *settings(*deal))
    assert ended.status == 0, ended.err
    require_same(hpcgen, tmp_path / "run", alone)


@pytest.mark.parametrize("ranks, others", [(8, 6), (1, 8)])
def test_saved_with_one_deal_resumed_with_another(hpcgen, tmp_path, cells_file, alone, ranks, others):
    run = tmp_path / "run"
    for count, keys in ((ranks, ["train.steps=3"]), (others, [])):
        keys += [f"parallel.space={2 if count == 6 else 4}"] * (count > 1)
        ended = hpcgen(count, "train", cells_file, "--run", run, *settings(*keys))
        assert ended.status == 0, ended.err
    assert "resuming from" in ended.out
    require_same(hpcgen, run, alone)


@pytest.mark.parametrize("ranks, space, threads", [(2, 1, 3), (4, 2, 2)])
def test_threads_do_not_change_the_bits(hpcgen, tmp_path, cells_file, alone, ranks, space, threads):
    """Two lanes of a rank in three threads, which also divide cells; then two cells of a lane in two."""
    run, keys = tmp_path / "run", settings(f"parallel.space={space}")
    ended = hpcgen(ranks, "train", cells_file, "--run", run, *keys, OMP_NUM_THREADS="3")
    assert ended.status == 0 and f"; threads {threads};" in ended.out
    require_same(hpcgen, run, alone)


@pytest.mark.timeout(240)
def test_no_deadlock_in_many_small_runs(start, tmp_path):
    """Teams, and lanes in threads, of random layers, cells and deals."""
    script = Path(__file__).with_name("random_cells.py")
    ended = start(4, sys.executable, script, tmp_path, "200").wait(220)
    assert ended.status == 0, ended.err
    runs, teams, threads = map(int, re.findall(r"\d+", ended.out))
    assert runs >= 200 and teams > 60 and threads > 40


@pytest.fixture
def volumes(hpcgen, tmp_path):
    """The run folder of a network on volumes of 32 x 32 x 32 places in 2 x 2 x 2 cells."""
    data, run = tmp_path / "volumes.h5", tmp_path / "run"
    assert hpcgen(1, "prepare", "fields", data, "--size", "32", "--rows", "4", "--slope=-1.7").status == 0
    (tmp_path / "run.toml").write_text(
        f"""
        data.path = "{data}"
        train = {{ steps = 1, lanes = 1, lane_size = 2, cells = [2, 2, 2] }}
        samples.count = 1
        [model]
        network = "dcgan3d"
        generator.width = 2
        discriminator.width = 2
        """
    )
    assert hpcgen(1, "train", tmp_path / "run.toml", "--run", run).status == 0
    return run


def test_no_rank_holds_a_whole_sample(hpcgen, fault, tmp_path, volumes):
    for name in ("one.h5", "one.npy"):
        assert hpcgen(1, "sample", volumes, "--count", "3", "--out", tmp_path / name).status == 0
    for ranks, ending in ((2, "h5"), (3, "h5"), (4, "h5"), (4, "npy")):
        out = tmp_path / f"{ranks}.{ending}"
        ended = fault(ranks, "no_memory_for_a_sample", "sample", volumes, "--count", "3", "--out", out)
        assert ended.status == 0, ended.err
        assert out.read_bytes() == (tmp_path / f"one.{ending}").read_bytes()
    # A picture needs whole samples.
    picture = tmp_path / "x.png"
    ended = fault(2, "no_memory_for_a_sample", "sample", volumes, "--count", "3", "--png", picture)
    assert ended.status == 1 and "a whole sample is gathered" in ended.err


@pytest.mark.parametrize("ranks", [1, 3])
def test_ranks_that_cannot_share_a_sample(hpcgen, tmp_path, volumes, ranks):
    out = tmp_path / "x.h5"
    for space, message in (
        ("9", "train.cells makes only 8: use at most 8"),
        ("2", f"does not divide the number of ranks, {ranks}: use 1{' or 3' * (ranks == 3)}"),
        ("-1", "'-1' is not an integer from 0"),
    ):
        for command in (("sample", volumes, "--out", out), ("evaluate", volumes, tmp_path / "volumes.h5")):
            ended = hpcgen(ranks, *command, f"--space={space}")
            assert ended.status == 2 and message in ended.one_line()
    assert not out.exists()


CONVOLUTIONS = "model.network=dcgan64"
BAD = {
    ("train.cells=[9, 2]",): (
        "train.cells = [9, 2]: samples of 8 x 8 x 1 have 8 places on axis 0; use at most 8 cells there"
    ),
    ("train.cells=9",): "samples of 8 x 8 x 1 have 8 places on axis 0; use at most 8 cells there",
    ("train.cells=[2, 2, 2]",): "train.cells has 3 numbers, but images of 8 x 8 x 1 have 2 spatial axes",
    ("train.cells=[2, 2, 1]",): "train.cells has 3 numbers, but images of 8 x 8 x 1 have 2 spatial axes",
    ("train.cells=[2, 0]",): "train.cells = [2, 0]: must be",
    ("train.cells=two",): "train.cells = 'two': must be",
    (
        "train.cells=[2]",
        "model.network=mlpgan",
    ): "train.cells: the model has no layers with spatial axes, such as conv",
    ("train.cells=[2, 2]", "parallel.space=5"): (
        "parallel.space = 5: each rank of a lane needs a cell, but train.cells makes only 4"
    ),
    ("parallel.space=2",): "parallel.space = 2: each rank of a lane needs a cell, but train.cells is not set",
}


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("keys, message", BAD.items(), ids=map(" ".join, BAD))
def test_bad_input(hpcgen, run_file, tmp_path, ranks, keys, message):
    ended = hpcgen(ranks, "train", run_file, "--run", tmp_path / "run", *settings(CONVOLUTIONS, *keys))
    assert ended.status == 2 and message in ended.one_line()
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    "ranks, keys, message",
    [
        (3, ["parallel.space=2"], "3 ranks cannot form teams of 2; start 2 or 4 ranks"),
        (3, ["train.lanes=1", "parallel.space=2"], "3 ranks cannot form teams of 2; start 2 ranks"),
        (3, ["train.lanes=2"], "cannot share lanes of 4 cells evenly; start 2 or 4 ranks"),
        (5, ["train.lanes=1"], "cannot share lanes of 4 cells evenly; start 4 ranks"),
        (4, ["train.lanes=1", "parallel.space=2"], "4 ranks are 2 teams of 2, more than train.lanes = 1"),
        (2, ["parallel.weights=[1, 1, 1]"], "parallel.weights has 3 numbers for 2 ranks"),
    ],
)
def test_ranks_that_cannot_share_the_lanes(hpcgen, run_file, tmp_path, ranks, keys, message):
    keys = settings(CONVOLUTIONS, "train.cells=[2, 2]", *keys)
    ended = hpcgen(ranks, "train", run_file, "--run", tmp_path / "run", *keys)
    assert ended.status == 2 and message in ended.one_line()


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_model_of_inputs_has_no_places(hpcgen, tmp_path, ranks):
    """Ranks that share a lane read other columns of its samples."""
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["samples"], file["inputs"] = (
            random.random((40, 4)).astype("f4"),
            random.random((40, 3)).astype("f4"),
        )
    (tmp_path / "run.toml").write_text(
        f'data.path = "{tmp_path / "x.h5"}"\nmodel.kind = "linear"\nparallel.space = {ranks}\n'
        "train = { steps = 1, lanes = 2, lane_size = 4, cells = 3 }\n"
    )
    ended = hpcgen(ranks, "train", tmp_path / "run.toml", "--run", tmp_path / "run")
    assert ended.status == 2 and "the model has no layers with spatial axes" in ended.one_line()


@pytest.mark.parametrize("ranks", [1, 4])
def test_other_cells_are_refused_on_resume(hpcgen, cells_file, tmp_path, ranks):
    run = tmp_path / "run"
    assert hpcgen(ranks, "train", cells_file, "--run", run, *settings("train.steps=1")).status == 0
    ended = hpcgen(ranks, "train", cells_file, "--run", run, *settings("train.cells=[4]"))
    assert ended.status == 2 and "train.cells: [4], not [2, 2]" in ended.one_line()
