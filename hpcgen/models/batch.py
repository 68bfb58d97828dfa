"""What a model computes with: a lane's micro-batch of a step, or a block of samples to be drawn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Streams of random numbers, by their index.
Streams = Callable[[int], np.random.Generator]


def no_stream(index: int) -> np.random.Generator:
    """Refuse to draw: the batch has no stream of random numbers."""
    raise AssertionError("a batch without a stream")


@dataclass
class Batch:
    """`size` rows: samples (n, *shape) and inputs (n, p) in the model's units, labels (n,), and
    `Model.noise`.

    random(i) is the i-th stream of this batch, from which dropout draws in the lane's i-th pass. None asks
    for the most likely sample instead of a random one. `step` counts the steps before this one. What one
    player's objective leaves in `kept`, the next player's may take.
    """

    size: int
    samples: Any = None
    noise: Any = None
    inputs: Any = None
    labels: Any = None
    random: Streams | None = no_stream
    step: int = 0
    kept: dict[str, Any] = field(default_factory=dict)
