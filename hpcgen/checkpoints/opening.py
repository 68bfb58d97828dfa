"""Checkpoint files opened for reading: whole, and of this version."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from hpcgen.checkpoints.format import ATTRIBUTES, FORMAT, VERSION
from hpcgen.config.differences import differences
from hpcgen.config.reading import parse_config, require_recorded
from hpcgen.config.sections import Config
from hpcgen.errors import AccessError, DamagedError, InputError
from hpcgen.files import checksums
from hpcgen.files.reading import attempt, has_checksums, open_file, reread
from hpcgen.parallel.agreement import agree

if TYPE_CHECKING:
    from mpi4py import MPI


class ForeignError(InputError):
    """A whole checkpoint that belongs to another run, or to another hpcgen."""


@contextmanager
def open_checkpoint(path: Path | str) -> Iterator[tuple[h5py.File, dict[str, Any]]]:
    """Open a checkpoint, after a check of its structure and its attributes, and give the file and its
    attributes.

    Raises InputError for another file, ForeignError for another version, and whatever `open_file` raises.
    """
    with open_file(path) as file:
        attributes = attempt(path, "its attributes", lambda: _attributes(file))
        if attributes.get("format") != FORMAT:
            raise InputError(f"{path}: not a checkpoint of hpcgen")
        if not has_checksums(file):
            raise DamagedError(f"{path}: damaged: it has lost its checksums")
        version = attributes.get("version")
        if isinstance(version, int) and version not in (0, VERSION):
            raise ForeignError(f"{path}: checkpoint version {version}; this hpcgen reads version {VERSION}")
        _require_attributes(path, attributes)
        yield file, attributes


def _attributes(file: h5py.File) -> dict[str, Any]:
    """Return the attributes. They are asked for by name: HDF5 may crash on a list of names that is
    damaged."""
    return {name: np.asarray(file.attrs[name]).tolist() for name in ATTRIBUTES if name in file.attrs}


def _require_attributes(path: Path | str, attributes: dict[str, Any]) -> None:
    """Raise DamagedError unless the attributes are of their types, and their texts can be parsed."""
    lost = [name for name, kind in ATTRIBUTES.items() if not isinstance(attributes.get(name), kind)]
    if attributes.get("version") != VERSION:
        lost.append("version")
    if not lost and not _parses(require_recorded, attributes["config"]):
        lost.append("config")
    if not lost and not _parses(json.loads, attributes["environment"]):
        lost.append("environment")
    if lost:
        raise DamagedError(f"{path}: damaged: its attribute {lost[0]} is not what hpcgen writes")


def _parses(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def config_of(path: Path | str, attributes: dict[str, Any]) -> Config:
    """Return the configuration of a checkpoint. Raises ForeignError if another hpcgen wrote other keys."""
    try:
        return parse_config(attributes["config"])
    except InputError as error:
        raise ForeignError(f"{path}: written by an hpcgen with other keys ({error})") from None


def require_same_run(path: Path | str, attributes: dict[str, Any], config: Config, fingerprint: str) -> None:
    """Raise ForeignError if a checkpoint is of another configuration, or of data with another fingerprint."""
    changed = differences(config, config_of(path, attributes))
    if changed:
        raise ForeignError(
            f"{path}: is of another configuration ({'; '.join(changed)}); start over with --fresh"
        )
    if attributes["data"] != fingerprint:
        raise ForeignError(
            f"data.path: not the data that {path} was trained on; "
            "give the same data, or start over with --fresh"
        )


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
    with agree(comm), part_of_run(path):
        reread(path, lambda: _require_checkpoint(path))
    checksums.verify(path, comm)


def _require_checkpoint(path: Path) -> None:
    with open_checkpoint(path):
        pass
