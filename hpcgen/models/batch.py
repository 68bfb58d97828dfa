"""The input of a model: a lane's micro-batch of a step, or a block of samples to draw."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Streams of random numbers, by their index.
Streams = Callable[[int], np.random.Generator]


def no_stream(index: int) -> np.random.Generator:
    """Raise AssertionError: the batch has no random stream."""
    raise AssertionError("the batch has no random stream")


@dataclass
class Batch:
    """`size` rows: samples (n, *shape) and inputs (n, p) in the model's units, labels (n,), and
    `Model.noise`.

    random(i) is the i-th random stream of this batch. Dropout draws from it in the lane's i-th pass. With
    `random` = None a model returns the most likely sample instead of a random one. `step` counts the steps
    before this one. One player's objective can leave results in `kept` for the next player's objective.
    """

    size: int
    samples: Any = None
    noise: Any = None
    inputs: Any = None
    labels: Any = None
    random: Streams | None = no_stream
    step: int = 0
    kept: dict[str, Any] = field(default_factory=dict)
