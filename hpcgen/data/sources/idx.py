"""The IDX format of MNIST (LeCun & Cortes), compressed with gzip or not.

A file holds two zero bytes, the type code, the number of axes, their lengths, and the data.
"""

import gzip
from collections.abc import Callable
from io import BufferedIOBase
from math import prod
from pathlib import Path

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.errors import InputError

UBYTE = 0x08


class IDX(Source):
    """Images (n, height, width) of unsigned bytes. A second file may hold their labels (n,)."""

    kind = "image"

    def __init__(self, images: Path | str, labels: Path | str | None = None) -> None:
        self._images = IDXFile(images, axes=3)
        self._labels = IDXFile(labels, axes=1) if labels else None
        self.columns = ("samples", "labels") if labels else ("samples",)
        self.rows, *size = self._images.shape
        self.shape, self.name = (*size, 1), Path(images).name
        if self._labels and self._labels.shape[0] != self.rows:
            raise InputError(
                f"{labels}: {self._labels.shape[0]} labels for the {self.rows} images of {images}"
            )

    def read(self, start: int, stop: int) -> Rows:
        labels = self._labels.read(start, stop).astype(np.int64) if self._labels else None
        return Rows(self._images.read(start, stop).reshape(stop - start, *self.shape), labels=labels)


class IDXFile:
    """One array of unsigned bytes with a given number of axes. Its size must match its header."""

    def __init__(self, path: Path | str, axes: int) -> None:
        self.path, self._open = path, _opener(path)
        header = 4 + 4 * axes
        try:
            with self._open() as file:
                head = file.read(header)
                if head[:4] != bytes([0, 0, UBYTE, axes]):
                    raise InputError(
                        f"{path}: its magic number is {head[:4].hex() or 'missing'}; an IDX file of "
                        f"{'images' if axes == 3 else 'labels'} has 000008{axes:02d}"
                    )
                if len(head) < header:
                    raise InputError(f"{path}: truncated in its header")
                self.shape = tuple(int(length) for length in np.frombuffer(head, ">u4", offset=4))
                self._header, expected = header, prod(self.shape)
                actual = _remaining(file)
        except EOFError:
            raise InputError(f"{path}: the gzip file is truncated; copy it again") from None
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from None
        if actual != expected:
            less = "fewer" if actual < expected else "more"
            raise InputError(
                f"{path}: {less} bytes than its header says: {actual} of data, not {expected}; copy it again"
            )

    def read(self, start: int, stop: int) -> np.ndarray:
        row = prod(self.shape[1:])
        with self._open() as file:
            file.seek(self._header + start * row)
            data = file.read((stop - start) * row)
        return np.frombuffer(data, np.uint8).reshape(stop - start, *self.shape[1:])


def _opener(path: Path | str) -> Callable[[], BufferedIOBase]:
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    return (lambda: gzip.open(path, "rb")) if compressed else (lambda: open(path, "rb"))


def _remaining(file: BufferedIOBase) -> int:
    """Return the number of bytes from the current position to the end; decompressed bytes of a gzip file."""
    total = 0
    while chunk := len(file.read(1 << 22)):
        total += chunk
    return total
