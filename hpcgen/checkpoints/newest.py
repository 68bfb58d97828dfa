"""A checkpoint that the user names: a file, or a run folder, which stands for its newest whole checkpoint."""

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
    """Ask this process alone."""
    return function(*arguments)


def named(path: Path | str, take: Callable[[Path], Taken], ask: Callable[..., Any] = _here) -> Taken:
    """Return take(path) for the checkpoint `path`, or for the newest whole one of the run folder `path`.

    `take` raises for a checkpoint that is not whole. `ask(function, *arguments)` looks at the file system:
    ranks that must see the same give partial(from_root, comm). Raises as `newest`, or as `take` for a file.
    """
    path = Path(path)
    return newest(path, ask(candidates, path), take) if ask(path.is_dir) else take(path)


def newest(run: Path, paths: Sequence[Path], take: Callable[[Path], Taken]) -> Taken:
    """Return take(path) for the first whole checkpoint among `paths`, the checkpoints of `run`, newest first.

    One that is not is passed over, with a warning. Raises UnreadableError if none is whole and the system
    failed to read one, InputError if none is whole.
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
