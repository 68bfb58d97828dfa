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
    """Return take(path) for the first whole checkpoint among `paths`, the checkpoints of `run`, newest first.

    `take` raises an error if a checkpoint is not whole. That checkpoint is skipped with a warning. If none is
    whole, raises UnreadableError if the system failed to read one of them, else InputError.
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
