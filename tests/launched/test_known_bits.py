"""Each kind of model gives the same bits as when tests/launched/known_bits.json was recorded.

The arithmetic is NumPy's and OpenBLAS's, held to AVX2, which every x86-64 processor of a cluster has. Bits of
another NumPy or C library cannot be compared: these tests are then skipped, and in CI one fails.

    python tests/launched/test_known_bits.py   records the bits anew

Record after a change that means to change the bits. With a new NumPy, record at a commit that has the bits
recorded with the old one.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import pytest

KNOWN = Path(__file__).with_name("known_bits.json")
# NumPy's loops and OpenBLAS's kernels for AVX2, and no compiled kernels.
PLAIN = {
    "HPCGEN_KERNELS": "numpy",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
MODELS = (
    *("mlpgan", "dcgan28", "dcgan64", "dcgan3d", "wavegan", "layers", "recurrent"),
    *("wgan", "spectral", "conditional", "vae", "conv-vae", "rvae", "rvae-numbers"),
    *("linear", "regressor", "classifier"),
)


def software():
    """Return what the bits depend on beside hpcgen."""
    import numpy

    return {"numpy": numpy.__version__, "libc": " ".join(platform.libc_ver()), "machine": platform.machine()}


def bits(name, folder):
    """Train a network for 20 steps in a process of its own; return the CRC-32 of all its parameters."""
    from networks import NETWORKS, run_file, write_data

    import hpcgen

    data, run = folder / f"{name}.h5", folder / name
    write_data(data, NETWORKS[name][0])
    (folder / f"{name}.toml").write_text(run_file(name, data))
    command = [sys.executable, "-m", "hpcgen", "train", folder / f"{name}.toml", "--run", run]
    command += ["--set", "train.steps=20", "--progress", "off"]
    subprocess.run(command, check=True, timeout=50, stdout=subprocess.DEVNULL, env=os.environ | PLAIN)
    crc = 0
    for _, vector in sorted(hpcgen.load(run).players.items()):
        crc = zlib.crc32(vector.data, crc)
    return f"{crc:08x}"


@pytest.fixture(scope="module")
def recorded():
    return json.loads(KNOWN.read_text())


def test_ci_compares_the_bits(recorded):
    """A new NumPy on its machines would skip all other tests here, and nothing would hold the bits."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        assert software() == recorded["software"], f"record the bits anew, as {__file__} says"


@pytest.mark.parametrize("name", MODELS)
def test_bits_are_those_that_were_recorded(recorded, name, tmp_path):
    if software() != recorded["software"]:
        pytest.skip(f"the bits were recorded with {recorded['software']}, here is {software()}")
    assert bits(name, tmp_path) == recorded["bits"][name]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    with tempfile.TemporaryDirectory() as made:
        found = {name: bits(name, Path(made)) for name in MODELS}
    KNOWN.write_text(json.dumps({"software": software(), "bits": found}, indent=1) + "\n")
