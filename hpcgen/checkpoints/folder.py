"""The folder of a run's checkpoints: their names, and the newest whole one."""

import re
from pathlib import Path

from hpcgen.checkpoints.opening import _part_of_run
from hpcgen.errors import DamagedError, InputError

NAME = re.compile(r"step-(\d{8,})\.h5")


def name(step):
    """Return the file name of the checkpoint after `step` steps."""
    return f"step-{step:08d}.h5"


def candidates(run):
    """Return the paths of the checkpoints in the run folder `run`, newest first."""
    steps = {
        path: NAME.fullmatch(path.name)
        for path in (Path(run) / "checkpoints").glob("step-*.h5")
        if path.is_file()
    }
    return sorted(
        (path for path, match in steps.items() if match), key=lambda path: int(steps[path][1]), reverse=True
    )


def newest(path, warn):
    """Return `path`, or if it is a run folder the path of its newest whole checkpoint; `warn` is told of damaged ones."""
    if not Path(path).is_dir():
        return Path(path)
    for candidate in candidates(path):
        try:
            from hpcgen.checkpoints.loading import load

            with _part_of_run(candidate):
                load(candidate)
            return candidate
        except DamagedError as error:
            warn(f"skipped: {error}")
    raise InputError(f"{path}: holds no whole checkpoint")
