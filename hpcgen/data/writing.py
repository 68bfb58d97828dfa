"""Write data files. All data files are written here."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hpcgen.files import writing
from hpcgen.files.slabs import Slab

if TYPE_CHECKING:
    from mpi4py import MPI

FORMAT = "hpcgen-data"
# Version 2: large rows have checksums in boxes (`hpcgen.files.checksums`).
VERSION = 2


def write_data(
    path: Path,
    comm: "MPI.Comm",
    slabs: Mapping[str, Slab],
    kind: str,
    source: str,
    low: float,
    high: float,
    attributes: Mapping[str, str | int | float],
) -> None:
    """Write a data file: `slabs` maps each dataset to its Slab, `attributes` are written as they are.

    The samples are in [low, high]. `kind` is the kind in `Schema`. `source` says where the rows come from.
    Collective over `comm`. Raises the errors of `hpcgen.files.writing.write`.
    """
    known: dict[str, str | int | float] = {
        "format": FORMAT,
        "version": VERSION,
        "kind": kind,
        "source": source,
        "low": low,
        "high": high,
    }
    writing.write(path, comm, {**known, **attributes}, slabs)
