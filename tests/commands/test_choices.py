"""The command line lists choices without loading what they choose: both lists agree."""

import argparse

import pytest

from hpcgen.commands import parser
from hpcgen.data.sources.text import UNITS
from hpcgen.training.hooks.progress import KINDS


def choices(words, option):
    """Return the choices of an option of the command, or of the source of a command, that `words` name."""
    found = parser()
    for word in words.split():
        (commands,) = [a for a in found._actions if isinstance(a, argparse._SubParsersAction)]
        found = commands.choices[word]
    return found._option_string_actions[option].choices


@pytest.mark.parametrize(
    "words, option, known",
    [("train", "--progress", ("auto", *KINDS)), ("prepare text", "--units", tuple(UNITS))],
)
def test_both_lists_agree(words, option, known):
    assert choices(words, option) == known
