"""The sources of the compiled loops: files and constants."""

import zlib
from pathlib import Path

from hpcgen.nn.kernels.plain.filters import POINT_A, POINT_B


def definitions() -> list[str]:
    """Return the constants that loops.h takes from Python, as compiler options with exact values."""
    return [f"-DPOINT_A={POINT_A.hex()}", f"-DPOINT_B={POINT_B.hex()}"]


def fingerprint() -> str:
    """Return a hash of loops.c, loops.h and their constants."""
    files = [Path(__file__).with_name(name).read_bytes() for name in ("loops.c", "loops.h")]
    return "".join(f"{zlib.crc32(content):08x}" for content in (*files, " ".join(definitions()).encode()))
