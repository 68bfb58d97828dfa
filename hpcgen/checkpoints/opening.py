"""Open checkpoint files for reading, and check that they are whole and of this version."""

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
    """A whole checkpoint that belongs to another run, or to another version of hpcgen."""


@contextmanager
def open_checkpoint(path: Path | str) -> Iterator[tuple[h5py.File, dict[str, Any]]]:
    """Open a checkpoint, check its structure and attributes, and yield the file and its attributes.

    Raises InputError for a file that is not a checkpoint, ForeignError for another version, and the errors of
    `open_file`.
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
    """Return the attributes. They are read by name: HDF5 may crash when it lists names that are damaged."""
    return {name: np.asarray(file.attrs[name]).tolist() for name in ATTRIBUTES if name in file.attrs}


def _require_attributes(path: Path | str, attributes: dict[str, Any]) -> None:
    """Raise DamagedError unless each attribute has its type, and `config` and `environment` can be parsed."""
    lost = [name for name, kind in ATTRIBUTES.items() if not isinstance(attributes.get(name), kind)]
    if attributes.get("version") != VERSION:
        lost.append("version")
    if not lost and not _parses(require_recorded, attributes["config"]):
        lost.append("config")
    if not lost and not _parses(json.loads, attributes["environment"]):
        lost.append("environment")
    if lost:
        raise DamagedError(f"{path}: damaged: its attribute {lost[0]} is missing or invalid")


def _parses(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def config_of(path: Path | str, attributes: dict[str, Any]) -> Config:
    """Return the configuration of a checkpoint. Raises ForeignError if it has keys that are unknown here."""
    try:
        return parse_config(attributes["config"])
    except InputError as error:
        raise ForeignError(f"{path}: written by a version of hpcgen with other keys ({error})") from None


def require_same_run(path: Path | str, attributes: dict[str, Any], config: Config, fingerprint: str) -> None:
    """Raise ForeignError if a checkpoint was written with another configuration, or trained on other data."""
    changed = differences(config, config_of(path, attributes))
    if changed:
        raise ForeignError(
            f"{path}: has another configuration ({'; '.join(changed)}); start over with --fresh"
        )
    if attributes["data"] != fingerprint:
        raise ForeignError(
            f"data.path: not the data that {path} was trained on; "
            "give the same data, or start over with --fresh"
        )


@contextmanager
def part_of_run(path: Path) -> Iterator[None]:
    """Raise DamagedError for a file in a run's folder that is not a checkpoint, such as an empty file.

    A crash may leave such files. A file to which the system gives no access does not count as damaged.
    """
    try:
        yield
    except (DamagedError, ForeignError, AccessError):
        raise
    except InputError as error:
        raise DamagedError(f"{error} (damaged)") from None


def verify(path: Path, comm: "MPI.Comm") -> None:
    """Verify every byte of a checkpoint. Raise DamagedError if one differs.

    The ranks divide the reading. Collective over `comm`. Also raises InputError for a file that is not a
    checkpoint, ForeignError, AccessError and UnreadableError.
    """
    with agree(comm):
        reread(path, lambda: _require_checkpoint(path))
    checksums.verify(path, comm)


def _require_checkpoint(path: Path) -> None:
    with open_checkpoint(path):
        pass
