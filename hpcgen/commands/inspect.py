"""hpcgen inspect: describe a file or a run, and verify it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py import MPI


def declare(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    parser = commands.add_parser("inspect", help="describe a data file, checkpoint or run, and verify it")
    parser.add_argument("file", metavar="FILE", type=Path, help="a file, or a run folder")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, comm: "MPI.Comm") -> int:
    """Inspect the file. Return the exit status, 1 if the file is damaged."""
    from hpcgen.checkpoints.inspection import inspect

    return inspect(options.file, comm)
