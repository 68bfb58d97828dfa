"""Commands as they are typed, and the functions that they call, which only note what they are given."""

import pytest

from hpcgen.commands import parser


@pytest.fixture
def typed(comm):
    """typed(*words): the exit status of a command line."""

    def run(*words):
        options = parser().parse_args([str(word) for word in words])
        return options.run(options, comm)

    return run


@pytest.fixture
def calls(monkeypatch):
    """calls(name, result): replace a function; returns the list of the arguments that it is given."""

    def replace(name, result=None):
        noted = []

        def note(*arguments):
            noted.append(arguments)
            return result

        monkeypatch.setattr(name, note)
        return noted

    return replace
