"""The formats that `hpcgen prepare` reads, one file each."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.data.columns import Column
from hpcgen.data.rows import Rows

if TYPE_CHECKING:
    from mpi4py import MPI


class Source(ABC):
    """Rows in one format, which the ranks divide. Raises InputError if the files cannot be used."""

    # The kind of the samples: see `Schema`.
    kind: str
    # The origin of the rows, for messages and the attribute `source`.
    name: str
    rows: int
    # The shape of a sample.
    shape: tuple[int, ...]
    # uint8 or float32, or uint16 for large vocabularies.
    dtype: np.typing.DTypeLike = np.uint8
    columns: Sequence[str] = ("samples",)
    # The interval of the samples. None: from their minimum to their maximum.
    range: tuple[float, float] | None = None
    # For audio: numbers per second.
    rate: int = 0
    # For text: the character or byte of each token in order, and the unit of a token, "characters" or
    # "bytes".
    vocabulary: str = ""
    units: str = "characters"
    # Additional attributes and arrays of the file, by name.
    attributes: Mapping[str, str | int | float] = {}
    constants: Mapping[str, np.ndarray] = {}
    # Bytes of rows that a rank may hold, if there is a limit. Then `stored` has every column.
    memory: int | None = None
    # The columns of which any rows can be read without the others, by name.
    stored: Mapping[str, Column] = {}
    # A line for each bad row that was left out with the user's permission, on the rank that read it.
    left_out: Sequence[str] = ()

    def survey(self, comm: "MPI.Comm") -> None:
        """Find the values that depend on all files, such as `rows` and a vocabulary. Each rank reads a part.

        Collective over `comm`.
        """

    @abstractmethod
    def read(self, start: int, stop: int) -> Rows:
        """Return the Rows [start, stop). Bad rows are left out if the user allowed it."""


def names_of(paths: Sequence[Path | str]) -> str:
    """Return the names of files in one string. For five or more, name the first three and count the rest."""
    names = [Path(path).name for path in paths]
    return ", ".join(names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"])
