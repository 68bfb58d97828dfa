"""What a row is: tokens as text, and the vocabulary as a file holds it."""

import numpy as np
import pytest

from hpcgen.data.schema import Columns, Schema


def text(vocabulary, units="characters"):
    return Schema((4,), "uint8", "text", 0.0, len(vocabulary) - 1.0, vocabulary=vocabulary, units=units)


@pytest.mark.parametrize("vocabulary", ["abc", "aß€𝄞"])
def test_tokens_are_characters_of_the_vocabulary(vocabulary):
    schema = text(vocabulary)
    tokens = np.array([2, 0, 1, len(vocabulary) - 1])
    assert schema.text(tokens) == "".join(vocabulary[token] for token in tokens)
    assert schema.text(tokens[:0]) == ""


def test_tokens_may_be_bytes():
    """Those of a character may be cut apart, or make none."""
    schema = text("".join(map(chr, sorted(set("größe".encode())))), "bytes")
    tokens = np.array([schema.vocabulary.index(chr(byte)) for byte in "größe".encode()])
    assert schema.text(tokens) == "größe"
    assert schema.text(tokens[:3]) == "gr\ufffd" and schema.text(tokens[3:]) == "\ufffdße"


def test_code_points_give_the_vocabulary_back():
    points = text("aß€𝄞").code_points
    assert points.dtype == np.uint32 and "".join(map(chr, points)) == "aß€𝄞"
    assert text("").code_points.shape == (0,)


def test_columns_are_counted():
    assert len(Columns((1.0, 2.0, 3.0), (1.0, 1.0, 1.0))) == 3
