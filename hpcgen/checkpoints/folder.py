"""The folder of a run's checkpoints: their names, and the newest whole one."""

import re
from pathlib import Path

from hpcgen.errors import RunError

NAME = re.compile(r"step-(\d{8,})\.h5")
DAMAGED = ".damaged"


def checkpoint_name(step: int) -> str:
    """Return the file name of the checkpoint after `step` steps."""
    return f"step-{step:08d}.h5"


def candidates(run: Path | str) -> list[Path]:
    """Return the paths of the checkpoints in the run folder `run`, newest first."""
    steps = {
        path: NAME.fullmatch(path.name)
        for path in (Path(run) / "checkpoints").glob("step-*.h5")
        if path.is_file()
    }
    found = [(int(match[1]), path) for path, match in steps.items() if match]
    return [path for _, path in sorted(found, reverse=True)]


def set_aside(path: Path) -> Path:
    """Rename a damaged checkpoint, and return its new path. Raises RunError if the system refuses."""
    aside = path.with_suffix(DAMAGED)
    try:
        return path.replace(aside)
    except OSError as error:
        raise RunError(f"{path}: damaged, and cannot be renamed to {aside.name}: {error.strerror}") from error


def damaged(run: Path | str) -> list[Path]:
    """Return the paths of the damaged checkpoints that earlier runs set aside in the run folder `run`."""
    return sorted((Path(run) / "checkpoints").glob(f"step-*{DAMAGED}"))
