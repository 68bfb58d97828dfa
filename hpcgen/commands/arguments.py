"""Types of command-line arguments: numbers within bounds. Arguments that several commands take."""

import argparse
import contextlib
from collections.abc import Callable

# The units of memory, in bytes.
UNITS = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
# With less, the parts in which rows are written would take most of the memory.
LEAST_MEMORY_MIB = 128


def integer(least: int, most: int) -> Callable[[str], int]:
    """Return an argparse type: an integer from `least` to `most`."""

    def convert(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer from {least} to {most}")
        return int(text)

    return convert


def real(least: float, most: float) -> Callable[[str], float]:
    """Return an argparse type: a real number from `least` to `most`."""

    def convert(text: str) -> float:
        with contextlib.suppress(ValueError):
            if least <= float(text) <= most:
                return float(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")

    return convert


def memory(text: str) -> int:
    """Convert a number of bytes with its unit, such as 512MiB or 1.5GiB: at least LEAST_MEMORY_MIB."""
    number, unit = text[:-3], text[-3:]
    with contextlib.suppress(ValueError, OverflowError):
        if unit in UNITS and UNITS["MiB"] * LEAST_MEMORY_MIB <= float(number) * UNITS[unit]:
            return int(float(number) * UNITS[unit])
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a size of at least {LEAST_MEMORY_MIB}MiB, such as 512MiB or 4GiB"
    )


def declare_space(parser: argparse.ArgumentParser) -> None:
    """Declare --space of the commands that generate samples."""
    parser.add_argument(
        "--space",
        type=integer(0, 2**31),
        metavar="S",
        default=0,
        help="ranks that share a sample, for a run with train.cells (default: 0, as few as possible)",
    )


seed = integer(0, 2**63 - 1)
count = integer(1, 10**12)
