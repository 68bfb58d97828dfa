"""The IDX format of MNIST (LeCun & Cortes), compressed with gzip or not.

A file holds two zero bytes, the type code, the number of axes, their lengths, and the data.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from math import prod
from pathlib import Path

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.errors import InputError
from hpcgen.files.reading import read_file

# The type code of unsigned bytes.
UBYTE = 0x08
# The first bytes of a compressed file.
GZIP = b"\x1f\x8b"
# Bytes that are read at a time to count them.
COUNTED_BYTES = 1 << 22


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
        self._path, self._header = path, 4 + 4 * axes
        self.shape, actual = read_file(path, "its header", lambda: self._survey(axes))
        expected = prod(self.shape)
        if actual != expected:
            less = "fewer" if actual < expected else "more"
            raise InputError(
                f"{path}: {less} bytes than its header says: {actual} of data, not {expected}; copy it again"
            )

    def _survey(self, axes: int) -> tuple[tuple[int, ...], int]:
        """Return the shape in the header, and the number of bytes that follow."""
        with self._open() as file:
            head = file.read(self._header)
            if head[:4] != bytes([0, 0, UBYTE, axes]):
                raise InputError(
                    f"{self._path}: its magic number is {head[:4].hex() or 'missing'}; an IDX file of "
                    f"{'images' if axes == 3 else 'labels'} has 000008{axes:02d}"
                )
            if len(head) < self._header:
                raise InputError(f"{self._path}: truncated in its header")
            shape = tuple(int(length) for length in np.frombuffer(head, ">u4", offset=4))
            return shape, _remaining(file)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the rows [start, stop)."""
        return read_file(self._path, "its rows", lambda: self._rows(start, stop))

    def _rows(self, start: int, stop: int) -> np.ndarray:
        row = prod(self.shape[1:])
        with self._open() as file:
            file.seek(self._header + start * row)
            data = file.read((stop - start) * row)
        return np.frombuffer(data, np.uint8).reshape(stop - start, *self.shape[1:])

    @contextmanager
    def _open(self) -> Iterator[BufferedIOBase]:
        """Open the file, which may be compressed. Raises InputError if it cannot be decompressed."""
        with open(self._path, "rb") as file:
            compressed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            try:
                yield gzip.GzipFile(fileobj=file) if compressed else file
            except EOFError:
                raise InputError(f"{self._path}: the gzip file is truncated; copy it again") from None
            except (gzip.BadGzipFile, zlib.error) as error:
                raise InputError(f"{self._path}: the gzip file is damaged ({error}); copy it again") from None


def _remaining(file: BufferedIOBase) -> int:
    """Return the number of bytes from the current position to the end, after decompression."""
    total = 0
    while chunk := len(file.read(COUNTED_BYTES)):
        total += chunk
    return total
