"""Checkpoint files opened for reading: whole, and of this version."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import msgspec
import numpy as np

from hpcgen.checkpoints.format import FORMAT, VERSION
from hpcgen.config.reading import parse_config
from hpcgen.config.sections import Config
from hpcgen.errors import AccessError, DamagedError, InputError
from hpcgen.files import checksums
from hpcgen.files.reading import attempt, has_checksums, open_file
from hpcgen.parallel.agreement import agree

if TYPE_CHECKING:
    from mpi4py import MPI


# The attributes that every checkpoint of this version has.
REQUIRED = {
    *("step", "seed", "lanes", "lane_size", "config", "environment", "data", "sample_shape", "sample_dtype"),
    *("sample_kind", "low", "high", "classes", "rate", "units"),
}


class ForeignError(InputError):
    """A whole checkpoint that belongs to another run, or to another hpcgen."""


@contextmanager
def open_checkpoint(path: Path | str) -> Iterator[tuple[h5py.File, dict[str, Any]]]:
    """Open a checkpoint, after a check of its structure, and give the file and its attributes.

    Raises InputError for another file, ForeignError for another version, and whatever `open_file` raises.
    """
    with open_file(path) as file:
        attributes = attempt(path, "its attributes", lambda: _attributes(file))
        if not has_checksums(file) or attributes.get("format") != FORMAT:
            raise InputError(f"{path}: not a checkpoint of hpcgen")
        if attributes.get("version") != VERSION:
            raise ForeignError(
                f"{path}: checkpoint version {attributes.get('version')}; this hpcgen reads version {VERSION}"
            )
        lost = REQUIRED - attributes.keys()
        if lost:
            raise DamagedError(f"{path}: damaged: it has no attribute {', '.join(sorted(lost))}")
        yield file, attributes


def _attributes(file: h5py.File) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in file.attrs.items()}


def config_of(path: Path | str, attributes: dict[str, Any]) -> Config:
    """Return the configuration of a checkpoint.

    Raises DamagedError if the attribute does not hold one, ForeignError if another hpcgen wrote other keys.
    """
    text = attributes.get("config")
    try:
        msgspec.toml.decode(text if isinstance(text, str) else "=")
    except msgspec.DecodeError:
        raise DamagedError(f"{path}: damaged: its attribute config holds no run file") from None
    assert isinstance(text, str)
    try:
        return parse_config(text)
    except InputError as error:
        raise ForeignError(f"{path}: written by an hpcgen with other keys ({error})") from None


@contextmanager
def part_of_run(path: Path) -> Iterator[None]:
    """In a run's folder, count as damage whatever is no checkpoint: an empty file after a crash, for example.

    A file to which the system gives no access is not damaged.
    """
    try:
        yield
    except (DamagedError, ForeignError, AccessError):
        raise
    except InputError as error:
        raise DamagedError(f"{error} (damaged)") from None


def verify(path: Path, comm: "MPI.Comm") -> None:
    """Raise DamagedError unless all of `path`, a checkpoint in a run's folder, is as it was written.

    The ranks divide the reading. Collective over `comm`. Raises ForeignError, AccessError and UnreadableError
    too.
    """
    with agree(comm), part_of_run(path), open_checkpoint(path) as (_, attributes):
        config_of(path, attributes)
    checksums.verify(path, comm)
