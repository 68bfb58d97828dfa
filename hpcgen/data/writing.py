"""Write data files. All data files are written here."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hpcgen.data.schema import Schema
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
    schema: Schema,
    source: str,
    attributes: Mapping[str, str | int | float] = {},
) -> None:
    """Write a data file: the datasets `slabs` by name, the description `schema` of the samples, and further
    attributes.

    `source` says where the rows come from. `hpcgen.data.opening.schema_of` reads the schema again. Collective
    over `comm`. Raises the errors of `hpcgen.files.writing.write`.
    """
    known: dict[str, str | int | float] = {
        "format": FORMAT,
        "version": VERSION,
        "kind": schema.kind,
        "source": source,
        "low": schema.low,
        "high": schema.high,
    }
    if schema.kind == "audio":
        known["rate"] = schema.rate
    if schema.kind == "text":
        known["units"] = schema.units
        slabs = {**slabs, "vocabulary": Slab.replicated(schema.code_points, comm.rank)}
    writing.write(path, comm, {**known, **attributes}, slabs)
