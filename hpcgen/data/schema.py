"""What a row of a data file is."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Columns:
    """Numbers that stand for themselves, not for a picture: of each its mean and standard deviation over all
    rows."""

    mean: tuple
    deviation: tuple

    def __len__(self):
        return len(self.mean)


@dataclass(frozen=True)
class Schema:
    """What models, checkpoints and pictures know of the data: each row's sample, and what stands beside it.

    A sample has a shape, a type and a kind ("image", "array", "audio" or "text"), and lies in [low, high].
    Audio has `rate` samples a second, text a `vocabulary`: token t is the character vocabulary[t], a byte if
    `units` is "bytes". `inputs` and `outputs` describe the columns of /inputs and of /samples where a file
    has both; labels run from 0 to classes - 1.
    """

    shape: tuple
    dtype: str
    kind: str
    # None in the schema of files that do not declare them.
    low: Any
    high: Any
    classes: int = 0
    rate: int = 0
    vocabulary: str = ""
    units: str = "characters"
    inputs: Columns | None = None
    outputs: Columns | None = None

    @property
    def code_points(self):
        """The vocabulary as it lies in a file, uint32 (v,)."""
        return np.array([ord(character) for character in self.vocabulary], np.uint32)

    def text(self, tokens):
        """Return tokens (length,) as text; bytes that are not UTF-8 become replacement characters."""
        characters = "".join(self.vocabulary[token] for token in tokens)
        return (
            characters.encode("latin-1").decode("utf-8", "replace") if self.units == "bytes" else characters
        )
