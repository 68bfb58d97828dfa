"""The command line: exit statuses, and how an error ends a job. No other file names COMM_WORLD.

A command runs alone or under mpirun or srun. Only rank 0 prints. The exit status is 0 on success, 2 on bad
input with one line on stderr, and 1 on failure.
"""

import argparse
import contextlib
import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from hpcgen import runtime

if TYPE_CHECKING:
    from mpi4py import MPI

# Seconds that a failed rank waits for the other ranks to fail too, before it aborts them.
GRACE_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process with its exit status. If one rank fails, all ranks end."""
    runtime.prepare_process()
    # A model may write characters that the terminal's encoding does not have.
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    try:
        status = _run(arguments, comm)
    except SystemExit:
        raise
    except BrokenPipeError:  # The program that reads the output has ended, as in `| head`.
        _end_abruptly(comm, 1)
    except BaseException:
        _print_traceback(comm)
        _end_abruptly(comm, 1)
    sys.stdout.flush()
    sys.exit(status)


def _run(arguments: Sequence[str] | None, comm: "MPI.Comm") -> int:
    """Return the exit status of the command. An error that the user can correct is printed as one line."""
    from hpcgen.errors import InputError, RunError, WriteError
    from hpcgen.parallel.agreement import PeerError

    try:
        options = _parse(arguments, comm)
        _log_to_terminal(comm)
        return options.run(options, comm)
    except (InputError, RunError) as error:
        status = 2 if isinstance(error, InputError) else 1
        _end_together(comm, f"hpcgen: {error}", status)
        if isinstance(error, WriteError):
            _end_abruptly(comm, status)
        return status
    except PeerError:
        # The rank that failed reports the error and ends the job. Give it time to do so.
        time.sleep(GRACE_SECONDS)
        comm.Abort(1)
        raise


def _parse(arguments: Sequence[str] | None, comm: "MPI.Comm") -> argparse.Namespace:
    """Return the parsed command line. Only rank 0 prints help and errors."""
    from hpcgen.commands import parser

    with contextlib.ExitStack() as stack:
        if comm.rank:
            silence = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
            stack.enter_context(contextlib.redirect_stderr(silence))
        return parser().parse_args(arguments)


def _log_to_terminal(comm: "MPI.Comm") -> None:
    """Send hpcgen's log to the terminal on rank 0: information to stdout, warnings to stderr."""
    logger = logging.getLogger("hpcgen")
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    if comm.rank:
        return
    logger.setLevel(logging.INFO)
    information, warnings = _Terminal(sys.stdout), _Terminal(sys.stderr)
    information.addFilter(lambda record: record.levelno < logging.WARNING)
    warnings.setLevel(logging.WARNING)
    logger.handlers = [information, warnings]


class _Terminal(logging.StreamHandler):
    """A handler whose errors are raised: a closed pipe ends the command."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise


def _end_together(comm: "MPI.Comm", line: str, status: int) -> None:
    """Print an error once: on rank 0 if all ranks have it, else on the rank that has it, which ends all."""
    from hpcgen.parallel.agreement import completes

    # If several ranks fail and others do not, the lowest failed rank times out first and aborts the job.
    if not completes(comm.Ibarrier(), GRACE_SECONDS + 0.3 * min(comm.rank, 10)):
        print(line, file=sys.stderr, flush=True)
        comm.Abort(status)
    if comm.rank == 0:
        print(line, file=sys.stderr, flush=True)
    comm.Barrier()


def _print_traceback(comm: "MPI.Comm") -> None:
    text = traceback.format_exc()
    prefix = f"[rank {comm.rank}] " if comm.size > 1 else ""
    lines = [prefix + line for line in text.splitlines(keepends=True)]
    print("".join(lines), end="", file=sys.stderr, flush=True)


def _end_abruptly(comm: "MPI.Comm", status: int) -> NoReturn:
    """End all ranks at once, without cleanup: cleanup could wait for another rank or close a broken file."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if comm.size > 1:
        comm.Abort(status)
    os._exit(status)
