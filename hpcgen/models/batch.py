"""What a model computes with: a lane's micro-batch of a step, or a block of samples to be drawn."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


def _nothing_drawn(index):
    raise AssertionError("a batch without a stream")


@dataclass
class Batch:
    """`size` rows: samples (n, *shape) and inputs (n, p) in the model's units, labels (n,), and what `Model.noise` made.

    random(i) is the i-th stream of this batch, from which dropout draws in the lane's i-th pass; `step` counts the steps
    before this one. What one player's gradient leaves in `kept` the next one's may take.
    """

    size: int
    samples: np.ndarray | None = None
    noise: np.ndarray | None = None
    inputs: np.ndarray | None = None
    labels: np.ndarray | None = None
    random: Callable = _nothing_drawn
    step: int = 0
    kept: dict = field(default_factory=dict)
