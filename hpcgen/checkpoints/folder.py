"""The folder of a run's checkpoints: file names, and damaged files."""

import os
import re
from pathlib import Path

from hpcgen.errors import RunError
from hpcgen.files.reading import attempt, reread

NAME = re.compile(r"step-(\d{8,})\.h5")
DAMAGED = ".damaged"


def checkpoint_name(step: int) -> str:
    """Return the file name of the checkpoint after `step` steps."""
    return f"step-{step:08d}.h5"


def candidates(run: Path | str) -> list[Path]:
    """Return the paths of the checkpoints in the run folder `run`, newest first.

    Raises UnreadableError or AccessError if the system cannot list them.
    """
    found = {path: NAME.fullmatch(path.name) for path in _listed(run)}
    steps = [(int(match[1]), path) for path, match in found.items() if match]
    return [path for _, path in sorted(steps, reverse=True)]


def set_aside(path: Path) -> Path:
    """Rename a damaged checkpoint and return its new path. Raises RunError if renaming fails."""
    aside, number = path.with_suffix(DAMAGED), 1
    while aside.exists():
        number += 1
        aside = path.with_suffix(f".{number}{DAMAGED}")
    try:
        return path.replace(aside)
    except OSError as error:
        raise RunError(f"{path}: damaged, and cannot be renamed to {aside.name}: {error.strerror}") from error


def damaged(run: Path | str) -> list[Path]:
    """Return the paths of the damaged checkpoints that earlier runs set aside in the run folder `run`.

    Raises the errors of `candidates`.
    """
    return sorted(path for path in _listed(run) if path.suffix == DAMAGED and path.name.startswith("step-"))


def _listed(run: Path | str) -> list[Path]:
    """Return the paths of the files in the run's folder of checkpoints, or [] if there is no such folder."""
    folder = Path(run) / "checkpoints"

    def listed() -> list[Path]:
        # Path.glob would hide a failure of the system, and the run would start again from step 0.
        try:
            with os.scandir(folder) as entries:
                return [folder / entry.name for entry in entries if not entry.is_dir()]
        except FileNotFoundError:
            return []

    return reread((), lambda: attempt(folder, "its names", listed))
