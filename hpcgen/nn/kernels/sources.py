"""What tells the sources of the compiled loops from others."""

import zlib
from pathlib import Path


def fingerprint() -> str:
    """Return a hash of loops.c and loops.h."""
    files = (Path(__file__).with_name(name) for name in ("loops.c", "loops.h"))
    return "".join(f"{zlib.crc32(file.read_bytes()):08x}" for file in files)
