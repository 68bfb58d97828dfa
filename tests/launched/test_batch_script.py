"""jobs/train.sbatch, run with a stand-in for srun."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def batch(tmp_path, run_file):
    """batch(srun): the ended batch script, in which `srun` is this shell script."""

    def batch(srun, *arguments):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / "srun").write_text(f"#!/usr/bin/env bash\n{srun}\n")
        (tmp_path / "bin" / "srun").chmod(0o755)
        slurm = {
            "SLURM_SUBMIT_DIR": str(ROOT),
            "SLURM_JOB_ID": f"test-{os.getpid()}",
            "SLURM_CPUS_PER_TASK": "1",
        }
        # jobs/environment.sh puts .venv first, which has no srun.
        env = os.environ | slurm | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
        command = ["bash", ROOT / "jobs" / "train.sbatch", run_file, "--run", tmp_path / "run", *arguments]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=50)
        assert not list(ROOT.glob(".hpcgen-*.done"))
        return ended

    return batch


# Drop srun's options, and run the command.
LAUNCH = 'while [[ $1 == -* ]]; do shift; done\nexec "$@"'


def test_a_launcher_that_starts_nothing_fails_the_job(batch, tmp_path):
    ended = batch("exit 0")
    assert ended.returncode == 1 and "srun returned 0, but no run has ended" in ended.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_that_ends_is_proof(batch, tmp_path):
    assert batch(LAUNCH).returncode == 0
    again = batch(LAUNCH)
    assert again.returncode == 0 and "nothing left to do" in again.stdout


@pytest.mark.parametrize("status, setting", [(2, "train.lanes=none"), (1, "optimizer.learning_rate=1e30")])
def test_a_run_that_fails_keeps_its_status(batch, status, setting):
    assert batch(LAUNCH, "--set", setting, "--set", "checkpoint.every=1").returncode == status
