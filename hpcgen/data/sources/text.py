"""Text as tokens. The files are joined and cut into windows of characters or bytes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from mpi4py import MPI

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source, names_of
from hpcgen.errors import InputError
from hpcgen.files.reading import read_file
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition

# Bytes of text that are read at a time.
TEXT_BYTES = 1 << 20
# The number of code points in Unicode.
CODE_POINTS = 0x110000
# The largest number of different tokens that 16 bits can hold.
MOST_TOKENS = 1 << 16


class Unit(NamedTuple):
    """A token stands for a code point of `encoding`. No code point begins with a byte in `inner`.

    The vocabulary always holds the codes below `certain`.
    """

    encoding: str
    inner: bytes
    certain: int


UNITS = {
    "characters": Unit("utf-8", inner=bytes(range(0x80, 0xC0)), certain=0),
    "bytes": Unit("latin-1", inner=b"", certain=256),
}


class Text(Source):
    """Windows of `length` tokens, without overlap. The remaining tokens at the end are dropped.

    A rank reads the files in chunks of `chunk` bytes. It holds its own rows and one chunk.
    """

    kind = "text"

    def __init__(
        self, paths: Sequence[Path | str], length: int, units: str = "characters", chunk: int = TEXT_BYTES
    ) -> None:
        self._length, self._unit, self._chunk = length, UNITS[units], chunk
        self.name, self.shape, self.units = names_of(paths), (length,), units
        self._chunks = [(path, start) for path in paths for start in range(0, _size(path), chunk)]

    def survey(self, comm: MPI.Comm) -> None:
        mine, counts = Partition.even(len(self._chunks), comm.size).slice(comm.rank), []
        occurs = np.arange(CODE_POINTS) < self._unit.certain
        with agree(comm):
            for path, start in self._chunks[mine]:
                codes = self._codes(path, start)
                occurs[codes] = True
                counts.append(len(codes))
        comm.Allreduce(MPI.IN_PLACE, occurs, op=MPI.LOR)
        self._tokens = Partition(count for rank in comm.allgather(counts) for count in rank)
        self.vocabulary = "".join(map(chr, np.flatnonzero(occurs)))
        self._require_use()
        self.rows = self._tokens.total // self._length
        self.dtype = np.uint8 if len(self.vocabulary) <= 256 else np.uint16
        self.range = (0.0, len(self.vocabulary) - 1.0)
        self._token_of = (np.cumsum(occurs) - 1).astype(self.dtype)

    def _require_use(self) -> None:
        units, vocabulary = self.units, self.vocabulary
        if self._tokens.total < self._length:
            raise InputError(
                f"{self.name}: {self._tokens.total} {units} are fewer than --length {self._length}"
            )
        if len(vocabulary) == 1:
            raise InputError(f"{self.name}: all {units} are {vocabulary!r}; there is nothing to learn")
        if len(vocabulary) > MOST_TOKENS:
            raise InputError(
                f"{self.name}: {len(vocabulary):,} different {units} are more than {MOST_TOKENS:,}; "
                "give --units bytes"
            )

    def read(self, start: int, stop: int) -> Rows:
        tokens = np.empty((stop - start) * self._length, self.dtype)
        for chunk, inside, target in self._tokens.pieces(start * self._length, stop * self._length):
            tokens[target] = self._token_of[self._codes(*self._chunks[chunk])[inside]]
        return Rows(tokens.reshape(-1, self._length))

    def _codes(self, path: Path | str, start: int) -> np.ndarray:
        """Return the codes (n,) uint32 that begin in the chunk of the file that starts at byte `start`.

        Raises InputError.
        """

        def read() -> tuple[int, bytes]:
            with open(path, "rb") as file:
                first, last = (
                    _beginning(file, position, self._unit.inner) for position in (start, start + self._chunk)
                )
                file.seek(first)
                return first, file.read(last - first)

        first, data = read_file(path, "its text", read)
        try:
            text = data.decode(self._unit.encoding)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: byte {first + error.start} is not UTF-8; "
                "convert the file to UTF-8, or give --units bytes to use its bytes as tokens"
            ) from None
        return np.frombuffer(text.encode("utf-32-le"), "<u4")


def _beginning(file: BinaryIO, position: int, inner: bytes) -> int:
    """Return the position of the first character that begins at or after `position`. In UTF-8 it is at most
    three bytes further."""
    file.seek(position)
    ahead = file.read(3) if position else b""
    return position + len(ahead) - len(ahead.lstrip(inner))


def _size(path: Path | str) -> int:
    def size() -> int:
        with open(path, "rb") as file:
            return file.seek(0, os.SEEK_END)

    return read_file(path, "its size", size)
