"""Checkpoint files opened for reading, whole and of this version."""

from contextlib import contextmanager

from hpcgen.checkpoints.format import FORMAT, VERSION
from hpcgen.config.reading import parse_config
from hpcgen.errors import DamagedError, InputError
from hpcgen.files import checksums
from hpcgen.files.reading import has_checksums, open_file
from hpcgen.parallel.agreement import agree


class ForeignError(InputError):
    """A checkpoint, whole, that belongs to another run, or to another hpcgen."""


@contextmanager
def _open(path):
    """Open a checkpoint file for reading, its structure verified."""
    with open_file(path) as file:
        if not has_checksums(file) or file.attrs.get("format") != FORMAT:
            raise InputError(f"{path}: not a checkpoint of hpcgen")
        if file.attrs["version"] != VERSION:
            raise ForeignError(
                f"{path}: checkpoint version {file.attrs['version']}; this hpcgen reads version {VERSION}"
            )
        yield file


def _config(path, attributes):
    try:
        return parse_config(attributes["config"])
    except InputError as error:
        raise ForeignError(f"{path}: written by an hpcgen with other keys ({error})") from None


@contextmanager
def _part_of_run(path):
    """Where hpcgen put a checkpoint, whatever cannot be read as one is damage: an empty file after a crash, say."""
    try:
        yield
    except (DamagedError, ForeignError):
        raise
    except InputError as error:
        raise DamagedError(f"{error} (damaged)") from None


def verify(path, comm):
    """Raise DamagedError unless `path`, a checkpoint of a run folder, is whole. Collective over `comm`."""
    with agree(comm), _part_of_run(path), _open(path):
        pass
    checksums.verify(path, comm)
