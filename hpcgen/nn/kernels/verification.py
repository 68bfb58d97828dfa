"""Compare the compiled kernels with NumPy's, bit for bit: python -m hpcgen.nn.kernels.verification.

If kernels differ, it exits with a line that names them. build.py runs it after each build, because a compiler
may reorder or contract floating-point operations. tests/nn/kernels compares more shapes.
"""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from hpcgen.nn.kernels import compiled, plain


def cases(random: np.random.Generator, dtype: type) -> Iterator[tuple[str, tuple]]:
    """Yield (kernel, arguments). The shapes do not divide evenly into SIMD vectors and blocks."""

    def numbers(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(dtype)

    rows, channels, many = (700, 37), 37, 20_003
    yield "outer", (numbers(700, 1), numbers(37, 1), numbers(*rows))
    yield "rectify", (numbers(*rows), numbers(channels), 0.2)
    yield "rectify_gradient", (numbers(*rows), numbers(*rows), 0.2)
    yield "scale_rectify", (numbers(*rows), numbers(channels), numbers(channels), 0.2, numbers(*rows))
    yield "column_sums", (numbers(*rows),)
    yield "column_squares", (numbers(*rows), numbers(channels))
    yield "column_products", (numbers(*rows), numbers(*rows), numbers(channels))
    yield "combine", (numbers(*rows), numbers(*rows), *numbers(3, channels))
    images, patches = (2, 9, 8, 5), (2, 4, 7, 3, 4, 5)
    yield "unfold", (numbers(*images), numbers(*patches), (2, 1), (0, 1))
    yield "fold", (numbers(*patches), numbers(*images), (2, 1), (0, 1))
    for tile in (2, 4):
        grid = (tile + 1,) * 2
        tiles = (-(-7 // tile), -(-5 // tile))
        images, cells = (2, 14, 11, channels), (*grid, 2, *tiles, 2, 2, channels)
        positions, products = (2, 7, 5, channels), (*grid, 2, *tiles, channels)
        weights, filters = (4, 4, 9, channels), (*grid, 2, 2, 9, channels)
        for kernel, shape, other, *padding in (
            ("data", images, cells, (1, 1)),
            ("data", (2, 16, 13, channels), cells, (0, 1)),
            ("output", positions, products),
            ("weight", weights, filters),
        ):
            yield f"winograd_{kernel}", (numbers(*shape), numbers(*other), *padding)
            yield f"winograd_{kernel}_adjoint", (numbers(*other), numbers(*shape), *padding)
    shares = [0.3, 0.5, 0.999, 1.1, 1e-8, 0.01, 0.9]
    yield "descend", (*numbers(2, many), 0.01)
    yield "momentum", (*numbers(3, many), *shares[:5])
    yield "adam", (*numbers(3, many), np.abs(numbers(many)), *shares)
    yield "adam_direction", (*numbers(3, many), np.abs(numbers(many)), *shares)
    yield "rmsprop", (*numbers(2, many), np.abs(numbers(many)), *shares[:4])
    yield "approach", (*numbers(2, many), 0.1)


def result(module: ModuleType, kernel: str, arguments: tuple[Any, ...]) -> list[bytes]:
    """Call a kernel, and return the bytes of its array arguments after the call and of its results."""
    copies = [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in arguments]
    returned = getattr(module, kernel)(*copies)
    arrays = [*copies, *(returned if isinstance(returned, tuple) else (returned,))]
    return [array.tobytes() for array in arrays if isinstance(array, np.ndarray)]


def differing() -> list[str]:
    """Return the names of the kernels whose bits differ."""
    found: dict[str, None] = {}
    for dtype in (np.float32, np.float64):
        for kernel, arguments in cases(np.random.default_rng(0), dtype):
            if result(compiled, kernel, arguments) != result(plain, kernel, arguments):
                found[kernel] = None
    return list(found)


if __name__ == "__main__":
    if wrong := differing():
        sys.exit(f"bits differ from NumPy's: {', '.join(wrong)}")
