"""hpcgen train: train a model, or resume a run."""

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py import MPI


def declare(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    parser = commands.add_parser("train", help="train a model, or resume a run")
    parser.add_argument("file", metavar="RUN.toml", type=Path, help="the run file")
    parser.add_argument(
        "--run",
        metavar="DIR",
        type=Path,
        dest="folder",
        help="the run folder (default: runs/ and the run file's name)",
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="override a key of the run file",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="start over; move the content of the run folder to DIR/old-N"
    )
    parser.add_argument(
        "--progress",
        choices=("auto", "bar", "lines", "off"),
        default="auto",
        help="how to show progress (default: a bar on a terminal, else lines)",
    )
    parser.add_argument(
        "--timings", metavar="F", type=Path, help="write how each rank spent its time, as JSON"
    )
    parser.add_argument(
        "--done",
        metavar="F",
        type=Path,
        help="create this file when all steps are done, as proof for a job script",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, comm: "MPI.Comm") -> int:
    """Train the model. Return the exit status."""
    from hpcgen.files.replacing import replace_text, require_target
    from hpcgen.parallel.agreement import from_root
    from hpcgen.training.run import train

    start = time.perf_counter()
    for path in filter(None, (options.timings, options.done)):
        from_root(comm, require_target, path)
    folder = options.folder or Path("runs") / options.file.stem
    training = train(options.file, folder, comm, options.settings, options.fresh, options.progress)
    if options.timings:
        seconds = comm.gather({**training.watch.seconds, "total": time.perf_counter() - start})
        from_root(comm, replace_text, options.timings, json.dumps(seconds, indent=1) + "\n")
    if options.done:
        from_root(comm, replace_text, options.done, "")
    return 0
