"""The command line as a whole: its commands, and its errors in one line."""

import pytest

import hpcgen
from hpcgen import commands


def test_each_command_has_its_own_file():
    names = [command.__name__.rpartition(".")[2] for command in commands.COMMANDS]
    assert names == ["prepare", "train", "sample", "evaluate", "inspect", "compare"]


@pytest.mark.parametrize(
    "words", [[], ["paint"], ["train"], ["sample", "a", "--count", "0"], ["prepare", "x"]]
)
def test_an_error_is_one_line_that_names_the_command(capsys, words):
    with pytest.raises(SystemExit) as ended:
        commands.parser().parse_args(words)
    printed = capsys.readouterr()
    assert ended.value.code == 2 and printed.out == "" and printed.err.count("\n") == 1
    named = " ".join(["hpcgen", *words[:1]]) if words[:1] not in ([], ["paint"]) else "hpcgen"
    assert printed.err.startswith(f"{named}: ") and printed.err.endswith(f"see {named} --help\n")


@pytest.mark.parametrize(
    "word, said", [("--version", f"hpcgen {hpcgen.__version__}\n"), ("--help", "usage: hpc")]
)
def test_help_and_version_are_no_errors(capsys, word, said):
    with pytest.raises(SystemExit) as ended:
        commands.parser().parse_args([word])
    printed = capsys.readouterr()
    assert ended.value.code == 0 and printed.out.startswith(said) and printed.err == ""
    assert word == "--version" or all(
        f"\n    {command.__name__.rpartition('.')[2]} " in printed.out for command in commands.COMMANDS
    )
