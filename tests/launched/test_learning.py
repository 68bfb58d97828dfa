"""The quality of models trained on real data for minutes (benchmarks/learning.py): `pytest -m slow
tests/launched`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "learning.py"
TORCH = os.environ.get("TORCH_PYTHON")
BESIDE = pytest.mark.skipif(
    not TORCH, reason="beside PyTorch: set TORCH_PYTHON to an interpreter that has it"
)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "study", ["linear", "rvae", pytest.param("vae", marks=BESIDE), pytest.param("gan", marks=BESIDE)]
)
def test_learning(study, tmp_path):
    torch = ["--torch", TORCH] if TORCH else []
    subprocess.run(
        [sys.executable, PROGRAM, "--only", study, "--out", tmp_path, *torch], check=True, timeout=1700
    )
    found = json.loads((tmp_path / "learning.json").read_text())[study]
    verdicts = {name: value for name, value in found.items() if isinstance(value, bool)}
    assert verdicts and all(verdicts.values()), found
