"""The command line as a whole: its commands, and its errors in one line."""

import re

import pytest

import hpcgen
from hpcgen import commands


def test_each_command_has_its_own_file():
    names = [command.__name__.rpartition(".")[2] for command in commands.COMMANDS]
    assert names == ["prepare", "train", "sample", "evaluate", "inspect", "compare"]


@pytest.mark.parametrize(
    "words, program",
    [
        ([], "hpcgen"),
        (["paint"], "hpcgen"),
        (["train"], "hpcgen train"),
        (["sample", "a", "--count", "0"], "hpcgen sample"),
        (["prepare", "text", "a.txt", "out.h5"], "hpcgen prepare text"),
    ],
)
def test_an_error_is_one_line_that_names_the_command(capsys, words, program):
    with pytest.raises(SystemExit) as ended:
        commands.parser().parse_args(words)
    printed = capsys.readouterr()
    assert ended.value.code == 2 and printed.out == "" and printed.err.count("\n") == 1
    assert printed.err.startswith(f"{program}: ") and printed.err.endswith(f"; see {program} --help\n")


def test_help_and_version_are_no_errors(capsys):
    said = []
    for word in ("--version", "--help"):
        with pytest.raises(SystemExit) as ended:
            commands.parser().parse_args([word])
        printed = capsys.readouterr()
        assert ended.value.code == 0 and printed.err == ""
        said.append(printed.out)
    assert said[0] == f"hpcgen {hpcgen.__version__}\n"
    for command in commands.COMMANDS:
        assert re.search(rf"^ +{command.__name__.rpartition('.')[2]} +\w", said[1], re.M)
