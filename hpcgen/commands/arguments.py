"""Types of command-line arguments: numbers within bounds."""

import argparse
import contextlib
from collections.abc import Callable


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


seed = integer(0, 2**63 - 1)
count = integer(1, 10**12)
