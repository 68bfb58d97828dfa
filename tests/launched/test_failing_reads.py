"""If a disk fails to read, a whole file never counts as damaged."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def preloaded(tmp_path):
    """The path of a library that makes reads fail."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler: nothing can make reads fail")
    library = tmp_path / "failing_reads.so"
    source = HERE / "failing_reads.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.mark.timeout(120)
def test_no_read_that_fails_counts_as_damage(hpcgen, digits, tmp_path, preloaded):
    data, checkpoint = tmp_path / "victim-data.h5", tmp_path / "victim.h5"
    shutil.copy(digits, data)
    (tmp_path / "run.toml").write_text(f'data.path = "{data}"\ntrain.steps = 1\nmodel.network = "seedgan"\n')
    assert (
        hpcgen(0, "train", tmp_path / "run.toml", "--run", tmp_path / "run", "--progress", "off").status == 0
    )
    shutil.copy(tmp_path / "run" / "checkpoints" / "step-00000001.h5", checkpoint)
    command = [
        "env",
        f"LD_PRELOAD={preloaded}",
        sys.executable,
        HERE / "each_read_fails.py",
        checkpoint,
        data,
    ]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for how in found.values():
        assert set(how["once"]) == {"whole"}
        assert set(how["for good"]) == {"UnreadableError"}
