"""The commands: each file declares the arguments of one command and calls one function."""

import argparse
from typing import NoReturn

import hpcgen
from hpcgen.commands import compare, evaluate, inspect, prepare, sample, train

COMMANDS = (prepare, train, sample, evaluate, inspect, compare)


class Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> Parser:
    """Return the parser of the command line. `run(options, comm)` of the parsed options runs the command."""
    top = Parser(prog="hpcgen", description=hpcgen.__doc__)
    top.add_argument("--version", action="version", version=f"hpcgen {hpcgen.__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.declare(commands)
    return top
