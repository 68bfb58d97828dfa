"""Buffers: numbers of a network that are computed from its batches, such as the running mean of batch norm.

In each training step a layer writes a statistic for each of its buffers. The buffer is updated with the mean
of that statistic over all samples of the step, by its rule.
"""

from dataclasses import dataclass
from enum import Enum

from hpcgen.arrays import Array, Shape
from hpcgen.nn.kernels import kernels

# The weight of the step's mean in a running mean. PyTorch has the same default.
MOMENTUM = 0.1


class Rule(Enum):
    """How a buffer is updated with the mean of its statistic.

    MEAN:    running <- running + MOMENTUM (mean - running)
    REPLACE: running <- mean
    """

    MEAN = "mean"
    REPLACE = "replace"


MEAN, REPLACE = Rule.MEAN, Rule.REPLACE


@dataclass(frozen=True)
class Buffer:
    """The shape of a buffer, and its rule."""

    shape: Shape
    follows: Rule = MEAN


def follow(rule: Rule, running: Array, mean: Array) -> None:
    """Update the buffer `running` in place with the `mean` of this step's statistic, by the rule."""
    if rule is REPLACE:
        running[...] = mean
    else:
        kernels(running).approach(running, mean, MOMENTUM)
