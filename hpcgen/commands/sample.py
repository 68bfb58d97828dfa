"""hpcgen sample: draw samples from a checkpoint."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpcgen.commands import arguments

if TYPE_CHECKING:
    from mpi4py import MPI


def declare(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    parser = commands.add_parser("sample", help="draw samples from a checkpoint or a run")
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        type=Path,
        help="a checkpoint, or a run folder (its newest whole checkpoint)",
    )
    parser.add_argument(
        "--count",
        type=arguments.count,
        help="samples to draw (default: 64, or as many as the given file has rows)",
    )
    parser.add_argument("--out", metavar="F", type=Path, help="a .h5 data file, or a .npy, .txt or .wav file")
    parser.add_argument("--png", metavar="F", type=Path, help="plot the first samples, at most 100")
    parser.add_argument("--seed", type=arguments.seed, default=0, help="seed of random numbers (default: 0)")
    parser.add_argument(
        "--label",
        type=arguments.integer(0, 2**31),
        help="label of the samples, for a conditional model (default: all labels in turn)",
    )
    parser.add_argument(
        "--inputs", metavar="FILE", type=Path, help="the inputs of a linear model or regressor: .h5 or .npy"
    )
    parser.add_argument(
        "--reconstruct",
        metavar="DATA",
        type=Path,
        help="encode and decode the rows of a data file (vae, rvae)",
    )
    parser.add_argument(
        "--interpolate",
        metavar="STEPS",
        type=arguments.integer(2, 1000),
        nargs="?",
        const=8,
        help="draw STEPS samples on the way from each code to the next (vae, rvae)",
    )
    arguments.declare_space(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, comm: "MPI.Comm") -> int:
    """Draw the samples. Return the exit status."""
    from hpcgen.sampling.options import SampleOptions
    from hpcgen.sampling.sample import sample

    names = ("count", "seed", "out", "png", "label", "inputs", "reconstruct", "interpolate", "space")
    sample(options.checkpoint, comm, SampleOptions(**{name: getattr(options, name) for name in names}))
    return 0
