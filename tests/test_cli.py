"""The end of a command: its exit status, and its output on stdout and stderr."""

import logging
import sys
from argparse import Namespace

import pytest

from hpcgen import cli
from hpcgen.errors import DamagedError, InputError, RunError


@pytest.fixture
def run(monkeypatch, comm, capsys):
    """run(function): the exit status of a command that runs `function`, and what it printed on rank 0."""

    def run(function):
        monkeypatch.setattr(
            cli, "_parse", lambda arguments, comm: Namespace(run=lambda options, comm: function())
        )
        status = cli._run([], comm)
        return status, capsys.readouterr()

    logger = logging.getLogger("hpcgen")
    before = logger.handlers, logger.propagate, logger.level
    yield run
    logger.handlers, logger.propagate, logger.level = before


def raising(error):
    def function():
        raise error

    return function


@pytest.mark.parametrize("error, status", [(InputError, 2), (DamagedError, 2), (RunError, 1)])
def test_an_error_is_one_line_and_a_status(run, comm, error, status):
    ended, printed = run(raising(error("the thing: what to do")))
    assert ended == status and printed.out == ""
    assert printed.err == ("hpcgen: the thing: what to do\n" if comm.rank == 0 else "")


def test_rank_0_alone_prints_the_log(run, comm):
    def function():
        logging.getLogger("hpcgen.anything").info("done")
        logging.getLogger("hpcgen.anything").warning("look at this")
        return 0

    ended, printed = run(function)
    assert ended == 0
    assert (printed.out, printed.err) == (("done\n", "look at this\n") if comm.rank == 0 else ("", ""))


def test_another_error_is_not_hidden(run):
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError("a mistake in the code")))


def test_a_closed_pipe_is_raised(run, comm, monkeypatch):
    """`run` restores the log."""

    class Closed:
        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            pass

    if comm.rank == 0:
        monkeypatch.setattr(sys, "stdout", Closed())
        with pytest.raises(BrokenPipeError):
            cli._log_to_terminal(comm)
            logging.getLogger("hpcgen.anything").info("nobody reads this")


@pytest.mark.parametrize(
    "arguments", [[], ["paint"], ["train"], ["sample", "a", "--count", "0"], ["compare", "a"]]
)
def test_a_bad_command_line_is_one_line(comm, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        cli._parse(arguments, comm)
    printed = capsys.readouterr()
    assert ended.value.code == 2 and printed.out == ""
    assert printed.err.count("\n") == (1 if comm.rank == 0 else 0)
    assert comm.rank or printed.err.startswith("hpcgen")
