"""Events that end a job: failing and killed ranks, full disks, signals, diverging losses."""

import os
import random
import re
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_one_failing_rank_ends_all_with_its_traceback(fault, run_file, tmp_path, ranks):
    ended = fault(ranks, "raise_in_step", "train", run_file, "--run", tmp_path / "run")
    assert ended.status == 1 and ended.seconds < 20
    assert ended.err.count("Traceback (most recent call last)") == 1
    assert "ZeroDivisionError: injected" in ended.err
    assert ranks == 1 or f"[rank {ranks - 1}] ZeroDivisionError" in ended.err


def test_bad_input_found_by_one_rank_ends_all_with_one_line(fault, run_file, tmp_path):
    ended = fault(3, "input_error_in_step", "train", run_file, "--run", tmp_path / "run")
    assert ended.status == 2 and ended.seconds < 20
    assert ended.err.count("hpcgen: injected") == 1 and "Traceback" not in ended.err


@pytest.mark.parametrize(
    "name, line",
    [
        ("observer_raises", "[rank 2] ZeroDivisionError"),
        ("observer_is_refused", "hpcgen: injected"),
        ("observer_is_killed", "signal 9"),
        ("first_rank_raises", "[rank 0] ZeroDivisionError"),
    ],
)
def test_trainers_and_observers_end_together(fault, run_file, tmp_path, name, line):
    settings = ["--set", "parallel.observers=1", "--set", "samples.every=5", "--set", "train.steps=100000"]
    ended = fault(3, name, "train", run_file, "--run", tmp_path / "run", *settings)
    assert ended.status != 0 and ended.seconds < 20
    assert ended.err.count(line) == 1 or name == "observer_is_killed"


def test_a_killed_rank_ends_all(fault, run_file, tmp_path):
    ended = fault(3, "killed", "train", run_file, "--run", tmp_path / "run")
    assert ended.status != 0 and ended.seconds < 20


@pytest.fixture
def small_disk(tmp_path):
    """A file system that holds one checkpoint of the run and not two."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk needs the right to mount: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def words_of(ended):
    """Return the one line that is hpcgen's; MPI libraries add their own."""
    (line,) = [line for line in ended.err.splitlines() if line.startswith("hpcgen: ")]
    return line


@pytest.mark.parametrize("name", ["full_unforeseen", "full_unforeseen_without_mpi"])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_a_full_disk_keeps_the_old_checkpoint(fault, hpcgen, run_file, small_disk, name, ranks):
    run = small_disk / "run"
    ended = fault(ranks, name, "train", run_file, "--run", run)
    assert ended.status == 1 and ended.seconds < 20
    assert "the disk refused step-00000020.h5" in words_of(ended)
    assert os.listdir(run / "checkpoints") == ["step-00000010.h5"]
    assert hpcgen(0, "inspect", run).status == 0


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_disk_without_room_is_seen_beforehand(hpcgen, run_file, small_disk, ranks):
    ended = hpcgen(ranks, "train", run_file, "--run", small_disk / "run")
    assert ended.status == 1 and "bytes are needed there" in ended.one_line()
    assert os.listdir(small_disk / "run" / "checkpoints") == ["step-00000010.h5"]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_one_rank_that_cannot_write_ends_all(fault, hpcgen, run_file, tmp_path, ranks):
    """With three ranks of Open MPI 4.1 the others wait for it inside HDF5 for ever: the watchdog ends
    them."""
    ended = fault(ranks, "file_limit", "train", run_file, "--run", tmp_path / "run")
    assert ended.status == 1 and ended.seconds < 20
    assert "the disk refused step-00000020.h5" in ended.err or "Timeout" in ended.err
    assert hpcgen(0, "inspect", tmp_path / "run").status == 0
    ended = hpcgen(ranks, "train", run_file, "--run", tmp_path / "run")
    assert ended.status == 0 and "step-00000010.h5" in ended.out
    assert sorted(os.listdir(tmp_path / "run" / "checkpoints")) == ["step-00000010.h5", "step-00000020.h5"]


@pytest.mark.parametrize("ranks", [1, 3])
def test_what_the_disk_lost_in_silence_is_noticed(fault, hpcgen, run_file, tmp_path, ranks):
    ended = fault(ranks, "silent_loss", "train", run_file, "--run", tmp_path / "run")
    assert ended.status == 1 and "the disk did not keep step-00000020.h5" in words_of(ended)
    assert os.listdir(tmp_path / "run" / "checkpoints") == ["step-00000010.h5"]


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_lost_attribute_is_noticed_before_the_rename(fault, hpcgen, run_file, tmp_path, ranks):
    ended = fault(ranks, "lost_attribute", "train", run_file, "--run", tmp_path / "run")
    assert ended.status == 1 and "the disk did not keep step-00000020.h5" in words_of(ended)
    assert os.listdir(tmp_path / "run" / "checkpoints") == ["step-00000010.h5"]


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_checkpoint_that_one_rank_cannot_read_keeps_its_name(fault, hpcgen, run_file, tmp_path, ranks):
    run = tmp_path / "run"
    assert hpcgen(ranks, "train", run_file, "--run", run, "--set", "train.steps=10").status == 0
    ended = fault(ranks, "unreadable_checkpoints", "train", run_file, "--run", run)
    assert ended.status == 1
    assert "step-00000010.h5: the system cannot read it: Too many open files" in ended.one_line()
    assert os.listdir(run / "checkpoints") == ["step-00000010.h5"]
    ended = hpcgen(ranks, "train", run_file, "--run", run)
    assert ended.status == 0 and "resuming from" in ended.out


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_path_that_is_too_long_for_the_mpi_is_refused_beforehand(hpcgen, run_file, tmp_path, ranks):
    """Open MPI's OMPIO aborts the job where the path of a file has 245 bytes or more."""
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    ended = hpcgen(ranks, "train", run_file, "--run", deep)
    assert ended.status == 2 and "bytes too long for MPI-IO" in ended.one_line()
    assert not deep.exists()
    ended = hpcgen(ranks, "prepare", "digits", deep / "x.h5")
    assert ended.status == 2 and "bytes too long for MPI-IO" in ended.one_line()
    assert hpcgen(0, "train", run_file, "--run", tmp_path / "run", "--set", "train.steps=2").status == 0
    ended = hpcgen(ranks, "sample", tmp_path / "run", "--out", deep / "x.h5")
    assert ended.status == 2 and "bytes too long for MPI-IO" in ended.one_line()


@pytest.mark.parametrize("ranks", [1, 3])
def test_what_a_killed_prepare_left_is_tidied_up(fault, hpcgen, tmp_path, ranks):
    (tmp_path / "data").mkdir()
    ended = fault(ranks, "killed_before_the_rename", "prepare", "digits", tmp_path / "data" / "x.h5")
    assert ended.status != 0 and len(os.listdir(tmp_path / "data")) == 2
    assert hpcgen(ranks, "prepare", "digits", tmp_path / "data" / "x.h5").status == 0
    assert os.listdir(tmp_path / "data") == ["x.h5"]


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_diverging_loss_is_named(hpcgen, run_file, tmp_path, ranks):
    settings = [
        "model.loss=least-squares",
        "optimizer.name=sgd",
        "optimizer.learning_rate=1e4",
        "checkpoint.every=1",
        "train.steps=200",
    ]
    settings = [argument for setting in settings for argument in ("--set", setting)]
    ended = hpcgen(ranks, "train", run_file, "--run", tmp_path / "run", *settings)
    assert ended.status == 1
    line = ended.one_line()
    assert re.search(
        r"step \d+: the (discriminator|generator)'s (loss is (nan|inf|-inf)|numbers are no longer finite)",
        line,
    )
    good = re.search(r"the last good checkpoint is (\S+\.h5);", line).group(1)
    assert hpcgen(0, "inspect", good).status == 0


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("ranks", [0, 1, 3])
def test_a_signal_saves_and_stops(launch, hpcgen, run_file, tmp_path, ranks):
    run = tmp_path / "run"
    settings = [
        "--set",
        "train.steps=1000000",
        "--set",
        "checkpoint.every=1000000",
        "--set",
        "samples.every=1000000",
    ]
    job = launch(ranks, "train", run_file, "--run", run, *settings)
    wait_for((run / "metrics.csv").exists)
    time.sleep(0.5)
    job.process.send_signal(signal.SIGUSR1)
    ended = job.wait()
    assert ended.status == 1
    (saved,) = (run / "checkpoints").iterdir()
    assert re.search(
        r"stopped by a signal after step (\d+), saved in .*; run again to resume", ended.one_line()
    )
    step = int(saved.stem.removeprefix("step-"))
    ended = hpcgen(max(1, ranks), "train", run_file, "--run", run, "--set", f"train.steps={step + 1}")
    assert ended.status == 0 and f"resuming from {saved}" in ended.out


def test_a_second_run_in_the_folder_is_refused(launch, hpcgen, run_file, tmp_path):
    run = tmp_path / "run"
    first = launch(
        2, "train", run_file, "--run", run, "--set", "train.steps=1000000", "--set", "samples.every=1000000"
    )
    wait_for((run / "metrics.csv").exists)
    ended = hpcgen(2, "train", run_file, "--run", run)
    assert ended.status == 2 and "another run is writing there" in ended.one_line()
    first.process.send_signal(signal.SIGUSR1)
    assert "stopped by a signal" in first.wait().err


def test_whatever_a_killed_job_leaves_is_whole(launch, hpcgen, run_file, tmp_path):
    """Killed at random moments of a run that always writes checkpoints; then resumed to the bits of an
    undisturbed run."""
    run, settings = (
        tmp_path / "run",
        ["--set", "checkpoint.every=1", "--set", "train.steps=60", "--set", "checkpoint.keep=0"],
    )
    moments = random.Random(5)
    for _ in range(4):
        job = launch(2, "train", run_file, "--run", run, *settings)
        wait_for(lambda: list((run / "checkpoints").glob("*.h5")))
        time.sleep(moments.uniform(0.7, 1.2))
        job.kill()
        assert hpcgen(0, "inspect", run).status == 0
    assert hpcgen(2, "train", run_file, "--run", run, *settings).status == 0
    assert not list((run / "checkpoints").glob(".*"))
    assert hpcgen(1, "train", run_file, "--run", tmp_path / "undisturbed", *settings).status == 0
    last = "checkpoints/step-00000060.h5"
    assert hpcgen(0, "compare", run / last, tmp_path / "undisturbed" / last).status == 0


def test_a_block_that_is_damaged_when_its_turn_comes_ends_all(hpcgen, tmp_path):
    """It is read ahead by a thread of one rank, in the midst of training."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 255, (6000, 1024), np.uint8))
    assert hpcgen(0, "prepare", "array", tmp_path / "x.npy", tmp_path / "x.h5").status == 0
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["samples"][3950] ^= 1
    (tmp_path / "run.toml").write_text(
        f'data = {{ path = "{tmp_path / "x.h5"}", block = 1 }}\nmodel.network = "seedgan"\n'
        "train = { steps = 500, lanes = 3, lane_size = 64 }\n"
    )
    ended = hpcgen(3, "train", tmp_path / "run.toml", "--run", tmp_path / "run", "--progress", "off")
    assert ended.status == 2 and "/samples differs from its checksum at rows" in words_of(ended)
