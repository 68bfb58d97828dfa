"""Find the checkpoint that the user names: a file, or the newest whole checkpoint of a run folder."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.opening import part_of_run
from hpcgen.errors import InputError, UnreadableError

logger = logging.getLogger(__name__)

Taken = TypeVar("Taken")


def _here(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return function(*arguments), called by this process alone."""
    return function(*arguments)


def named(path: Path | str, take: Callable[[Path], Taken], ask: Callable[..., Any] = _here) -> Taken:
    """Return take(path) for the checkpoint `path`, or for the newest whole one of the run folder `path`.

    `take` must raise InputError or UnreadableError for a checkpoint that is not whole. `ask(function,
    *arguments)` calls a function that looks at the file system. Ranks that need the same answer pass
    partial(from_root, comm). Raises the errors of `newest` for a folder, and those of `take` for a file.
    """
    path = Path(path)
    return newest(path, ask(candidates, path), take) if ask(path.is_dir) else take(path)


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
