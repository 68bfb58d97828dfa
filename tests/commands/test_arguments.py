"""Numbers on the command line must be within their bounds."""

from argparse import ArgumentTypeError

import pytest

from hpcgen.commands import arguments


@pytest.mark.parametrize("text", ["2", "7", "10"])
def test_integers_within_the_bounds(text):
    assert arguments.integer(2, 10)(text) == int(text)


@pytest.mark.parametrize("text", ["1", "11", "-3", "3.0", "three", "", "\u00b2"])
def test_other_integers_are_refused(text):
    with pytest.raises(ArgumentTypeError, match="is not an integer from 2 to 10"):
        arguments.integer(2, 10)(text)


@pytest.mark.parametrize("text", ["0", "0.25", "1e-3", "1"])
def test_real_numbers_within_the_bounds(text):
    assert arguments.real(0, 1)(text) == float(text)


@pytest.mark.parametrize("text", ["-0.1", "1.5", "nan", "inf", "half", ""])
def test_other_real_numbers_are_refused(text):
    with pytest.raises(ArgumentTypeError, match="is not a number from 0 to 1"):
        arguments.real(0, 1)(text)


@pytest.mark.parametrize(
    "text, size", [("128MiB", 1 << 27), ("1GiB", 1 << 30), ("1.5GiB", 3 << 29), ("2TiB", 1 << 41)]
)
def test_sizes_of_memory(text, size):
    assert arguments.memory(text) == size


@pytest.mark.parametrize(
    "text", ["127MiB", "1GB", "1024", "GiB", "-1GiB", "infGiB", "nanGiB", "1 GiB x", "much", ""]
)
def test_other_sizes_are_refused(text):
    with pytest.raises(ArgumentTypeError, match="is not a size of at least 128MiB, such as 512MiB or 4GiB"):
        arguments.memory(text)
