"""The command line; the only place that names COMM_WORLD.

Every command runs alone or under mpirun/srun, prints once (rank 0), and exits 0 on success, 2 on bad input with one line on
stderr, 1 on failure.
"""

import argparse
import contextlib
import logging
import os
import sys
import time
import traceback
from pathlib import Path

import hpcgen
from hpcgen import runtime

GRACE_SECONDS = 5.0


def main(arguments=None):
    """Run one command and end the process with its exit status; one failing rank ends all ranks."""
    runtime.prepare_process()
    sys.stdout.reconfigure(errors="replace")  # what a model writes, a terminal need not have
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    try:
        status = _run(arguments, comm)
    except SystemExit:
        raise
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        _end_abruptly(comm, 1)
    except BaseException:
        _say_traceback(comm)
        _end_abruptly(comm, 1)
    sys.stdout.flush()
    sys.exit(status)


def _run(arguments, comm):
    """Return the exit status of the command; errors that are the user's are one line."""
    from hpcgen.errors import InputError, RunError, WriteError
    from hpcgen.parallel.agreement import PeerError

    try:
        options = _parse(arguments, comm)
        _log_to_terminal(comm)
        return options.command(options, comm)
    except (InputError, RunError) as error:
        status = 2 if isinstance(error, InputError) else 1
        _end_together(comm, f"hpcgen: {error}", status)
        if isinstance(error, WriteError):
            _end_abruptly(comm, status)
        return status
    except PeerError:
        # The rank that failed says why and ends the job; not before it has had the time to.
        time.sleep(GRACE_SECONDS)
        comm.Abort(1)


def _log_to_terminal(comm):
    """Send hpcgen's log to the terminal on rank 0: what it does to stdout, what needs attention to stderr."""
    logger = logging.getLogger("hpcgen")
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    if comm.rank:
        return
    logger.setLevel(logging.INFO)
    informing, warning = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    informing.addFilter(lambda record: record.levelno < logging.WARNING)
    warning.setLevel(logging.WARNING)
    logger.handlers = [informing, warning]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parse(arguments, comm):
    """Return the parsed command line; rank 0 alone prints help and errors."""
    with contextlib.ExitStack() as stack:
        if comm.rank:
            silence = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
            stack.enter_context(contextlib.redirect_stderr(silence))
        return parser().parse_args(arguments)


def _end_together(comm, line, status):
    """Print an error once: rank 0 when all ranks have it, else the rank that has it, which then ends the job."""
    from hpcgen.parallel.agreement import completes

    # Of several ranks that wait in vain the lowest speaks, and ends the others.
    if not completes(comm.Ibarrier(), GRACE_SECONDS + 0.3 * min(comm.rank, 10)):
        print(line, file=sys.stderr, flush=True)
        comm.Abort(status)
    if comm.rank == 0:
        print(line, file=sys.stderr, flush=True)
    comm.Barrier()


def _say_traceback(comm):
    text = traceback.format_exc()
    prefix = f"[rank {comm.rank}] " if comm.size > 1 else ""
    print(
        "".join(prefix + line for line in text.splitlines(keepends=True)), end="", file=sys.stderr, flush=True
    )


def _end_abruptly(comm, status):
    """End all ranks without running anything else that could wait for one of them, or close a broken file."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if comm.size > 1:
        comm.Abort(status)
    os._exit(status)


def parser():
    """Return the argument parser; each command's function is its default `command`."""
    top = _Parser(prog="hpcgen", description=hpcgen.__doc__)
    top.add_argument("--version", action="version", version=f"hpcgen {hpcgen.__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _prepare_parser(commands.add_parser("prepare", help="make a data file"))

    train = commands.add_parser("train", help="train a model, or go on with a run")
    train.add_argument("file", metavar="RUN.toml", type=Path)
    train.add_argument(
        "--run", metavar="DIR", type=Path, help="the run folder (default: runs/ and the run file's name)"
    )
    train.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="settings", help="override a key"
    )
    train.add_argument(
        "--fresh", action="store_true", help="start over; what is in the run folder is moved to DIR/old-N"
    )
    train.add_argument("--progress", choices=("auto", "bar", "lines", "off"), default="auto")
    train.add_argument("--timings", metavar="F", type=Path, help="write where the time went as JSON")
    train.set_defaults(command=_train)

    sample = commands.add_parser("sample", help="draw samples from a checkpoint or a run folder's newest")
    sample.add_argument("checkpoint", metavar="CHECKPOINT", type=Path)
    sample.add_argument("--count", type=_COUNT, help="default: 64, or as many as the file given has rows")
    sample.add_argument(
        "--out", metavar="F", type=Path, help="a .h5 data file, a .npy array, a .txt or .wav file"
    )
    sample.add_argument("--png", metavar="F", type=Path, help="a picture of the first 100 at most")
    sample.add_argument("--seed", type=_SEED, default=0)
    sample.add_argument("--label", type=_LABEL, help="of a conditional model; default: all in turn")
    sample.add_argument(
        "--inputs", metavar="FILE", type=Path, help="what linear and regressor make samples for: .h5 or .npy"
    )
    sample.add_argument(
        "--reconstruct", metavar="DATA", type=Path, help="encode and decode a data file's rows (vae, rvae)"
    )
    sample.add_argument(
        "--interpolate",
        metavar="STEPS",
        type=_STEPS,
        nargs="?",
        const=8,
        help="samples from each code to the next (vae, rvae)",
    )
    sample.set_defaults(command=_sample)

    evaluate = commands.add_parser(
        "evaluate", help="measure a model against data, beside real data or a closed form"
    )
    evaluate.add_argument("checkpoint", metavar="CHECKPOINT", type=Path)
    evaluate.add_argument("data", metavar="DATA.h5", type=Path, nargs="+")
    evaluate.add_argument("--json", metavar="F", type=Path, help="write the figures as JSON")
    evaluate.add_argument(
        "--count", type=_COUNT, help="samples to compare (default: half of the rows, at most 5,000)"
    )
    evaluate.add_argument(
        "--features", metavar="CHECKPOINT", type=Path, help="of a classifier; without it pixels are compared"
    )
    evaluate.add_argument("--seed", type=_SEED, default=0)
    evaluate.set_defaults(command=_evaluate)

    inspect = commands.add_parser(
        "inspect", help="say what a data file, checkpoint or run holds, and check it"
    )
    inspect.add_argument("file", metavar="FILE", type=Path)
    inspect.set_defaults(command=_inspect)

    compare = commands.add_parser("compare", help="tell whether two checkpoints hold the same bits")
    compare.add_argument("a", metavar="A", type=Path)
    compare.add_argument("b", metavar="B", type=Path)
    compare.set_defaults(command=_compare)
    return top


def _prepare_parser(prepare):
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--seed", type=_SEED, default=0, help="of the order that rows are put in")
    common.add_argument("--keep-order", action="store_true", help="do not shuffle the rows")
    common.add_argument(
        "--hold-out",
        metavar="F.h5",
        type=Path,
        help="write the last rows to a file of their own, to evaluate on",
    )
    common.add_argument(
        "--share", type=_share, default=0.2, help="of the rows that are held out (default: 0.2)"
    )
    sources = prepare.add_subparsers(required=True, metavar="SOURCE")

    def add(name, source, help):
        command = sources.add_parser(name, help=help, parents=[common])
        command.set_defaults(command=_prepare, source=source)
        return command

    digits = add("digits", "digits:Digits size", "scikit-learn's 1,797 handwritten digits")
    digits.add_argument("--size", type=_SIZE, default=8)
    idx = add("idx", "idx:IDX images labels", "MNIST's format, gzip or not")
    idx.add_argument("images", metavar="IMAGES", type=Path)
    idx.add_argument("--labels", metavar="F", type=Path)
    cifar = add("cifar", "cifar:CIFAR batches", "CIFAR-10 binary batches")
    cifar.add_argument("batches", metavar="BATCH", type=Path, nargs="+")
    images = add("images", "images:Images folder size channels skip_bad warn", "a folder of pictures")
    images.add_argument("folder", metavar="DIR", type=Path)
    images.add_argument("--size", type=_SIZE, required=True)
    images.add_argument("--channels", type=int, choices=(1, 3), default=3)
    images.add_argument(
        "--skip-bad", action="store_true", help="leave out, and name, pictures that cannot be read"
    )
    images.set_defaults(warn=_warn)
    array = add("array", "array:Array path name inputs labels", ".npy, .npz or any HDF5 dataset")
    array.add_argument("path", metavar="FILE", type=Path)
    array.add_argument("--name", metavar="X", help="of the array, where the file holds several")
    array.add_argument("--inputs", metavar="X", help="the array of the same file from which samples follow")
    array.add_argument("--labels", metavar="X", help="the array of the same file with the samples' labels")
    text = add("text", "text:Text files length units", "characters or bytes as tokens")
    text.add_argument("files", metavar="FILE", type=Path, nargs="+")
    text.add_argument("--length", type=_COUNT, required=True, help="tokens in a sample")
    text.add_argument(
        "--units", choices=("characters", "bytes"), default="characters", help="what a token stands for"
    )
    audio = add("audio", "audio:Audio files length rate hop", "WAV files")
    audio.add_argument("files", metavar="FILE", type=Path, nargs="+")
    audio.add_argument("--length", type=_COUNT, required=True, help="in samples of a frame")
    audio.add_argument("--rate", type=_RATE, help="resample all files to RATE samples a second")
    audio.add_argument("--hop", type=_COUNT, help="samples from one frame to the next (default: the length)")
    diabetes = add("diabetes", "diabetes:Diabetes", "scikit-learn's 442 patients")
    linear = add(
        "linear", "linear:Linear rows inputs outputs noise seed", "drawn from a known theta, for checks"
    )
    linear.add_argument("--rows", type=_COUNT, required=True)
    linear.add_argument("--inputs", type=_WIDTH, required=True)
    linear.add_argument("--outputs", type=_WIDTH, default=1)
    linear.add_argument("--noise", type=_deviation, default=0.0, help="standard deviation of what is added")
    for command in (digits, idx, cifar, images, array, text, audio, diabetes, linear):
        command.add_argument("out", metavar="OUT.h5", type=Path)


def _number(least, most):
    """Return a type for argparse: an integer from `least` to `most`."""

    def number(text):
        if not (text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer from {least} to {most}")
        return int(text)

    return number


_SEED, _COUNT, _SIZE = _number(0, 2**63 - 1), _number(1, 10**12), _number(1, 4096)
_RATE = _WIDTH = _number(1, 10**6)
_LABEL, _STEPS = _number(0, 2**31), _number(2, 1000)


def _real(least, most):
    """Return a type for argparse: a number from `least` to `most`."""

    def real(text):
        with contextlib.suppress(ValueError):
            if least <= float(text) <= most:
                return float(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")

    return real


_deviation, _share = _real(0, 1e30), _real(0, 1)


def _prepare(options, comm):
    from importlib import import_module

    from hpcgen.data.prepare import prepare
    from hpcgen.files.replacing import require_unread

    target, *names = options.source.split()
    module, kind = target.split(":")
    given = [getattr(options, name) for name in names]
    read = [
        path
        for value in given
        for path in (value if isinstance(value, list) else [value])
        if isinstance(path, Path)
    ]
    require_unread(options.out, read)
    if options.hold_out:
        require_unread(options.hold_out, [options.out, *read])
    source = getattr(import_module(f"hpcgen.data.sources.{module}"), kind)
    rows, shape = prepare(
        lambda: source(*given),
        options.out,
        comm,
        options.seed,
        options.keep_order,
        options.hold_out,
        options.share,
    )
    _say(comm)(f"{options.out}: {rows:,} samples of {' x '.join(map(str, shape))}")
    return 0


def _train(options, comm):
    import json

    from hpcgen.files.replacing import require_room
    from hpcgen.parallel.agreement import from_root
    from hpcgen.training.run import train

    start = time.perf_counter()
    if options.timings:
        from_root(comm, require_room, options.timings, 0)
    folder = options.run or Path("runs") / options.file.stem
    say, warn = _say(comm), _say(comm, sys.stderr)
    training = train(options.file, folder, comm, options.settings, options.fresh, options.progress, say, warn)
    if options.timings:
        seconds = comm.gather({**training.watch.seconds, "total": time.perf_counter() - start})
        if comm.rank == 0:
            options.timings.write_text(json.dumps(seconds, indent=1) + "\n")
    return 0


def _sample(options, comm):
    from hpcgen.sampling.sample import sample

    names = ("count", "seed", "out", "png", "label", "inputs", "reconstruct", "interpolate")
    sample(
        options.checkpoint,
        comm,
        say=_say(comm),
        warn=_say(comm, sys.stderr),
        **{name: getattr(options, name) for name in names},
    )
    return 0


def _evaluate(options, comm):
    from hpcgen.evaluation.evaluate import evaluate

    wanted = (options.count, options.seed, options.features, options.json)
    evaluate(options.checkpoint, options.data, comm, *wanted, _say(comm), _say(comm, sys.stderr))
    return 0


def _inspect(options, comm):
    from hpcgen.checkpoints.inspection import inspect

    return inspect(options.file, comm, _say(comm))


def _compare(options, comm):
    from hpcgen.checkpoints.inspection import compare

    return compare(options.a, options.b, comm, _say(comm))


def _warn(line):
    # In one piece, since several ranks may write at a time.
    sys.stderr.write(f"hpcgen: {line}\n")


def _say(comm, stream=None):
    """Return print on rank 0 and silence elsewhere."""
    return (lambda line: print(line, file=stream, flush=True)) if comm.rank == 0 else (lambda line: None)
