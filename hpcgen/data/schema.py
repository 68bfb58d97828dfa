"""What a row of a data file is."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Columns:
    """The mean and the standard deviation of each column of numbers, over all rows."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.mean)


@dataclass(frozen=True)
class Schema:
    """What models, checkpoints and plots know about the data.

    A sample has a shape, a type and a kind ("image", "array", "audio" or "text"), and lies in [low, high].
    Audio has `rate` numbers a second. Text has a `vocabulary`: token t is the character vocabulary[t], or a
    byte if `units` is "bytes". `inputs` and `outputs` describe the columns of /inputs and /samples if a file
    has both. Labels run from 0 to classes - 1.
    """

    shape: tuple[int, ...]
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
    def code_points(self) -> np.ndarray:
        """The vocabulary as a file holds it, uint32 (v,)."""
        return np.array([ord(character) for character in self.vocabulary], np.uint32)

    def text(self, tokens: np.ndarray) -> str:
        """Return tokens (length,) as text. Bytes that are not UTF-8 become replacement characters."""
        characters = "".join(self.vocabulary[token] for token in tokens)
        return (
            characters.encode("latin-1").decode("utf-8", "replace") if self.units == "bytes" else characters
        )
