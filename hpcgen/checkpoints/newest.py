"""Find the checkpoint that the user names: a file, or the newest whole checkpoint of a run folder."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.opening import part_of_run
from hpcgen.errors import InputError, UnreadableError

logger = logging.getLogger(__name__)

Taken = TypeVar("Taken")


def choices(path: Path | str) -> list[Path] | None:
    """Return the checkpoints of the run folder `path`, newest first, or None if `path` is not a folder."""
    return candidates(Path(path)) if Path(path).is_dir() else None


def named(path: Path | str, choices: Sequence[Path] | None, take: Callable[[Path], Taken]) -> Taken:
    """Return take(path) for the checkpoint `path`, or for the newest whole one of the run folder `path`.

    `choices` are those of `path`. `take` must raise InputError or UnreadableError for a checkpoint that is
    not whole. Raises the errors of `newest` for a folder, and those of `take` for a file.
    """
    return take(Path(path)) if choices is None else newest(Path(path), choices, take)


def newest(run: Path, paths: Sequence[Path], take: Callable[[Path], Taken]) -> Taken:
    """Return take(path) for the first whole checkpoint among `paths`, the checkpoints of `run`, newest first.

    The others are skipped with a warning. If none is whole, raises UnreadableError if the system failed to
    read one of them, else InputError.
    """
    unreadable = None
    for path in paths:
        try:
            with part_of_run(path):
                return take(path)
        except (InputError, UnreadableError) as error:
            logger.warning("skipped: %s", error)
            unreadable = error if isinstance(error, UnreadableError) else unreadable
    raise unreadable or InputError(f"{run}: holds no whole checkpoint")
