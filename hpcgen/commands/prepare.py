"""hpcgen prepare: make a data file from one of the sources."""

import argparse
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcgen.commands import arguments

if TYPE_CHECKING:
    from mpi4py import MPI

    from hpcgen.data.sources import Source

logger = logging.getLogger(__name__)

SIZE = arguments.integer(1, 4096)
WIDTH = arguments.integer(1, 10**6)
# With fewer places, a spectrum has only one bin besides that of the mean.
PLACES = arguments.integer(4, 1 << 30)


def declare(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments of every source."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--seed",
        type=arguments.seed,
        default=0,
        help="seed of the order of the rows, and of rows that are drawn at random (default: 0)",
    )
    common.add_argument("--keep-order", action="store_true", help="do not shuffle the rows")
    common.add_argument(
        "--hold-out", metavar="F.h5", type=Path, help="write the last rows to this file, for evaluation"
    )
    common.add_argument(
        "--share", type=arguments.real(0, 1), default=0.2, help="the share of rows to hold out (default: 0.2)"
    )
    parser = commands.add_parser("prepare", help="make a data file")
    sources = parser.add_subparsers(required=True, metavar="SOURCE")
    for name, (help, declare_arguments, make) in SOURCES.items():
        source = sources.add_parser(name, help=help, parents=[common])
        declare_arguments(source.add_argument)
        source.add_argument("out", metavar="OUT.h5", type=Path)
        source.set_defaults(run=run, make=make)


def run(options: argparse.Namespace, comm: "MPI.Comm") -> int:
    """Make the data file. Return the exit status."""
    from hpcgen.data.prepare import PrepareOptions, prepare
    from hpcgen.files.replacing import require_unread

    read = _paths(value for name, value in vars(options).items() if name not in ("out", "hold_out"))
    require_unread(options.out, read)
    if options.hold_out:
        require_unread(options.hold_out, [options.out, *read])
    asked = PrepareOptions(options.seed, options.keep_order, options.hold_out, options.share)
    rows, shape = prepare(lambda: options.make(options), options.out, comm, asked)
    logger.info("%s: %s samples of %s", options.out, f"{rows:,}", " x ".join(map(str, shape)))
    return 0


def _paths(values: Iterable[Any]) -> list[Path]:
    """Return the paths among the values of options, including those in lists."""
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in flat if isinstance(item, Path)]


# Each source has two functions. The first declares the arguments. The second imports the source's module and
# makes the source from the options.


def _declare_digits(add: Callable[..., Any]) -> None:
    add("--size", type=SIZE, default=8, help="enlarge the pictures to SIZE x SIZE")


def _digits(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.digits import Digits

    return Digits(options.size)


def _declare_idx(add: Callable[..., Any]) -> None:
    add("images", metavar="IMAGES", type=Path, help="the file of images")
    add("--labels", metavar="F", type=Path, help="the file of labels")


def _idx(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.idx import IDX

    return IDX(options.images, options.labels)


def _declare_cifar(add: Callable[..., Any]) -> None:
    add("batches", metavar="BATCH", type=Path, nargs="+", help="the binary files of CIFAR-10")


def _cifar(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.cifar import CIFAR

    return CIFAR(options.batches)


def _declare_images(add: Callable[..., Any]) -> None:
    add("folder", metavar="DIR", type=Path, help="the folder of the pictures")
    add("--size", type=SIZE, required=True, help="crop each picture to its central square and resize it")
    add("--channels", type=int, choices=(1, 3), default=3, help="1: grey, 3: colour (default: 3)")
    add("--skip-bad", action="store_true", help="skip pictures that cannot be read, and name them")


def _images(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.images import Images

    return Images(options.folder, options.size, options.channels, options.skip_bad)


def _declare_array(add: Callable[..., Any]) -> None:
    add("path", metavar="FILE", type=Path, help="the file to read")
    add("--name", metavar="X", help="the array to read, if the file holds several")
    add("--inputs", metavar="X", help="an array in the same file: the inputs of the samples")
    add("--labels", metavar="X", help="an array in the same file: the labels of the samples")
    add(
        "--memory",
        type=arguments.memory,
        default="1GiB",
        help="the memory of a rank for rows; a larger share of the file is read in blocks (default: 1GiB)",
    )


def _array(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.array import Array

    return Array(options.path, options.name, options.inputs, options.labels, options.memory)


def _declare_text(add: Callable[..., Any]) -> None:
    add("files", metavar="FILE", type=Path, nargs="+", help="the files to read; they are used as one")
    add("--length", type=arguments.count, required=True, help="tokens in a sample")
    add(
        "--units",
        choices=("characters", "bytes"),
        default="characters",
        help="the unit of a token (default: characters)",
    )


def _text(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.text import Text

    return Text(options.files, options.length, options.units)


def _declare_audio(add: Callable[..., Any]) -> None:
    add("files", metavar="FILE", type=Path, nargs="+", help="the files to read; they are used as one")
    add("--length", type=arguments.count, required=True, help="numbers in a frame")
    add("--rate", type=WIDTH, help="resample all files to RATE numbers per second")
    add(
        "--hop",
        type=arguments.count,
        help="numbers from the start of one frame to the start of the next (default: the length)",
    )


def _audio(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.audio import Audio

    return Audio(options.files, options.length, options.rate, options.hop)


def _diabetes(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.diabetes import Diabetes

    return Diabetes()


def _declare_linear(add: Callable[..., Any]) -> None:
    add("--rows", type=arguments.count, required=True, help="rows to draw")
    add("--inputs", type=WIDTH, required=True, help="numbers in an input")
    add("--outputs", type=WIDTH, default=1, help="numbers in a sample (default: 1)")
    add(
        "--noise",
        type=arguments.real(0, 1e30),
        default=0.0,
        help="standard deviation of the noise (default: 0)",
    )


def _linear(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.linear import LinearModel

    return LinearModel(options.rows, options.inputs, options.outputs, options.noise, options.seed)


def _declare_fields(add: Callable[..., Any]) -> None:
    add("--size", type=PLACES, required=True, help="places along each axis")
    add("--rows", type=arguments.count, required=True, help="fields to draw")
    add(
        "--slope",
        type=arguments.real(-10, 10),
        required=True,
        help="slope of the spectrum E(k), the power in a shell of wave numbers; turbulence: -1.667",
    )
    add("--axes", type=int, choices=(1, 2, 3), default=3, help="spatial axes of a field (default: 3)")


def _fields(options: argparse.Namespace) -> "Source":
    from hpcgen.data.sources.fields import Fields

    return Fields(options.rows, options.size, options.slope, options.seed, options.axes)


SOURCES = {
    "digits": ("scikit-learn's 1,797 handwritten digits", _declare_digits, _digits),
    "idx": ("the format of MNIST, compressed with gzip or not", _declare_idx, _idx),
    "cifar": ("CIFAR-10 binary batches", _declare_cifar, _cifar),
    "images": ("a folder of pictures", _declare_images, _images),
    "array": (".npy, .npz or any HDF5 dataset", _declare_array, _array),
    "text": ("text files: characters or bytes as tokens", _declare_text, _text),
    "audio": ("WAV files", _declare_audio, _audio),
    "diabetes": ("scikit-learn's 442 diabetes patients", lambda add: None, _diabetes),
    "linear": ("rows drawn from a linear model whose theta is known", _declare_linear, _linear),
    "fields": ("random fields whose spectrum is a known power law", _declare_fields, _fields),
}
