"""The newest whole checkpoint of a run folder."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hpcgen.checkpoints.opening import part_of_run
from hpcgen.errors import InputError, UnreadableError

logger = logging.getLogger(__name__)

Taken = TypeVar("Taken")


def newest(run: Path, paths: Sequence[Path], take: Callable[[Path], Taken]) -> Taken:
    """Return take(path) for the first of the checkpoints `paths` of `run` that is whole, newest first.

    `take` raises for one that is not. Such a one is passed over, with a warning. Raises UnreadableError if
    none is whole and the system failed to read one, InputError if none is whole.
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
