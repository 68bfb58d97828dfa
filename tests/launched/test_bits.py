"""Runs have the same bits at any number of ranks and threads, with or without a resumption."""

import shutil
import subprocess
import sys

import pytest

LAST = "checkpoints/step-00000020.h5"


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return {"folder": tmp_path_factory.mktemp("reference"), "made": False}


@pytest.fixture
def alone(reference, hpcgen, run_file):
    """The run folder of an uninterrupted run of one rank."""
    run = reference["folder"] / "run"
    if not reference["made"]:
        assert hpcgen(1, "train", run_file, "--run", run).status == 0
        reference["made"] = True
    return run


def same(hpcgen, a, b):
    ended = hpcgen(0, "compare", a / LAST, b / LAST)
    return ended.status == 0 and ended.out == "the same bits\n"


def test_a_convolutional_network(hpcgen, run_file, tmp_path):
    """With batch norm, on the digits enlarged; resumed by other ranks half way."""
    data = tmp_path / "digits-16.h5"
    assert hpcgen(2, "prepare", "digits", data, "--size", "16").status == 0
    keys = [
        f"data.path={data}",
        "model.network=dcgan64",
        "model.generator.width=32",
        "model.discriminator.width=32",
    ]
    settings = [word for key in [*keys, "optimizer.generator.average=0.9"] for word in ("--set", key)]
    for ranks in (1, 2, 3, 4):
        run = tmp_path / f"ranks-{ranks}"
        assert (
            hpcgen(ranks, "train", run_file, "--run", run, *settings, "--set", "train.steps=10").status == 0
        )
        ended = hpcgen(5 - ranks, "train", run_file, "--run", run, *settings)
        assert ended.status == 0 and "resuming from" in ended.out
        assert same(hpcgen, tmp_path / "ranks-1", run)


@pytest.mark.parametrize("ranks", [2, 3, 4, 6, 8])
def test_any_number_of_ranks(hpcgen, run_file, tmp_path, alone, ranks):
    assert hpcgen(ranks, "train", run_file, "--run", tmp_path / "run").status == 0
    assert same(hpcgen, alone, tmp_path / "run")


@pytest.mark.parametrize("threads", ["2", "4"])
@pytest.mark.parametrize("variable", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_any_number_of_threads(hpcgen, run_file, tmp_path, alone, threads, variable):
    assert hpcgen(1, "train", run_file, "--run", tmp_path / "run", **{variable: threads}).status == 0
    assert same(hpcgen, alone, tmp_path / "run")


def test_any_deal_of_the_lanes(hpcgen, run_file, tmp_path, alone):
    settings = ("--set", "parallel.weights=[1,5,2]")
    assert hpcgen(3, "train", run_file, "--run", tmp_path / "run", *settings).status == 0
    assert same(hpcgen, alone, tmp_path / "run")


def test_saved_at_four_ranks_resumed_at_others(hpcgen, run_file, tmp_path, alone):
    assert hpcgen(4, "train", run_file, "--run", tmp_path / "four", "--set", "train.steps=10").status == 0
    for ranks in (1, 2, 3):
        run = tmp_path / f"resumed-{ranks}"
        shutil.copytree(tmp_path / "four", run)
        ended = hpcgen(ranks, "train", run_file, "--run", run)
        assert ended.status == 0 and "resuming from" in ended.out
        assert same(hpcgen, alone, run)


def test_serial_hdf5_writes_the_same_checkpoint(hpcgen, fault, run_file, tmp_path, alone):
    ended = fault(3, "without_mpi", "train", run_file, "--run", tmp_path / "run")
    assert ended.status == 0 and ended.out.count("h5py has no MPI") == 1
    assert same(hpcgen, alone, tmp_path / "run")


def test_h5py_without_mpi_reads_a_checkpoint(alone):
    code = "import sys, h5py; f = h5py.File(sys.argv[1], driver='sec2'); "
    code += "print(f['players/generator/parameters'][...].sum())"
    ended = subprocess.run(
        [sys.executable, "-c", code, alone / LAST], capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 0 and float(ended.stdout)


@pytest.mark.skipif(shutil.which("h5dump") is None, reason="h5dump is not installed")
def test_h5dump_reads_a_checkpoint(alone):
    command = ["h5dump", "-d", "/players/generator/layout", "-a", "step", alone / LAST]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0 and "dense1/weight" in ended.stdout and "(0): 20" in ended.stdout


def test_compare_tells_other_bits(hpcgen, run_file, tmp_path, alone):
    assert hpcgen(2, "train", run_file, "--run", tmp_path / "run", "--set", "seed=1").status == 0
    ended = hpcgen(2, "compare", alone / LAST, tmp_path / "run" / LAST)
    assert ended.status == 1 and "different; largest difference 0." in ended.out
    ended = hpcgen(0, "compare", alone, tmp_path / "run")
    assert ended.status == 1 and "different; largest difference 0." in ended.out
