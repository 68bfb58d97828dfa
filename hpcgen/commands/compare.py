"""hpcgen compare: compare two checkpoints bit by bit."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpi4py import MPI


def declare(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    parser = commands.add_parser("compare", help="compare two checkpoints bit by bit")
    parser.add_argument("a", metavar="A", type=Path, help="a checkpoint, or a run folder")
    parser.add_argument("b", metavar="B", type=Path, help="a checkpoint, or a run folder")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, comm: "MPI.Comm") -> int:
    """Compare the two checkpoints. Return the exit status, 1 if the bits differ."""
    from hpcgen.checkpoints.comparison import compare

    return compare(options.a, options.b, comm)
