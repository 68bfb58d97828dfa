"""The formats that `hpcgen prepare` reads, one file each."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.data.rows import Rows

if TYPE_CHECKING:
    from mpi4py import MPI


class Source(ABC):
    """Rows of a format, which the ranks divide among them. Raises InputError if its files cannot be used."""

    # What the samples are: see `Schema`.
    kind: str
    # Where the rows come from, for messages and the attribute `source`.
    name: str
    rows: int
    # The shape of a sample.
    shape: tuple[int, ...]
    # uint8 or float32; uint16 for large vocabularies.
    dtype: np.typing.DTypeLike = np.uint8
    columns: Sequence[str] = ("samples",)
    # The interval in which samples lie; None: their extremes.
    range: tuple[float, float] | None = None
    # Numbers a second, of audio.
    rate: int = 0
    # What the tokens of text stand for, in their order, and whether these are "characters" or "bytes".
    vocabulary: str = ""
    units: str = "characters"
    # Further attributes and arrays of the file, by name.
    attributes: Mapping[str, str | int | float] = {}
    constants: Mapping[str, np.ndarray] = {}
    # A line for each thing that the user allowed to leave out, on the rank that met it.
    left_out: Sequence[str] = ()

    def survey(self, comm: "MPI.Comm") -> None:
        """Find what only reading all files tells, such as `rows` and a vocabulary. Each rank reads a part.

        Collective over `comm`.
        """

    @abstractmethod
    def read(self, start: int, stop: int) -> Rows:
        """Return the Rows [start, stop). They are fewer if the user allowed to leave out bad ones."""


def names_of(paths: Sequence[Path | str]) -> str:
    """Return the names of files in one string. Of many, name the first three and count the others."""
    names = [Path(path).name for path in paths]
    return ", ".join(names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"])
