"""hpcgen evaluate: measure how well a model fits data."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpcgen.commands import arguments

if TYPE_CHECKING:
    from mpi4py import MPI


def declare(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    parser = commands.add_parser(
        "evaluate", help="measure how well a model fits data, compared with real data or a closed form"
    )
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        type=Path,
        help="a checkpoint, or a run folder (its newest whole checkpoint)",
    )
    parser.add_argument("data", metavar="DATA.h5", type=Path, nargs="+", help="data files, used as one")
    parser.add_argument("--json", metavar="F", type=Path, help="write the measures as JSON")
    parser.add_argument(
        "--count", type=arguments.count, help="samples to compare (default: half of the rows, at most 5,000)"
    )
    parser.add_argument(
        "--features",
        metavar="CHECKPOINT",
        type=Path,
        help="compare features of this classifier instead of pixels",
    )
    parser.add_argument("--seed", type=arguments.seed, default=0, help="seed of random numbers (default: 0)")
    arguments.declare_space(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, comm: "MPI.Comm") -> int:
    """Evaluate the checkpoint. Return the exit status."""
    from hpcgen.evaluation.evaluate import EvaluateOptions, evaluate

    asked = EvaluateOptions(options.count, options.seed, options.features, options.json, options.space)
    evaluate(options.checkpoint, options.data, comm, asked)
    return 0
