"""What trainers and observers tell each other."""

from dataclasses import dataclass
from typing import Any

from hpcgen.data.schema import Schema


@dataclass(frozen=True)
class Start:
    """To the observers, once: the schema of the training data."""

    schema: Schema


@dataclass(frozen=True)
class Ready:
    """To the trainers, once: the columns of metrics.csv that the observers will fill."""

    columns: list[str]


@dataclass(frozen=True)
class Snapshot:
    """To the observers: draw samples, or evaluate, after `step` steps.

    The arrays of the message are the states of the players to sample with, in the model's order.
    """

    step: int
    draw: bool
    evaluate: bool


@dataclass(frozen=True)
class Answer:
    """To the trainers: the Snapshot of `step` is done. `values` belong into the row of metrics.csv."""

    step: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Stop:
    """To the trainers: an observer was asked to stop the run."""


@dataclass(frozen=True)
class End:
    """To the observers, at last: the run is over, or failed with an error that the user can correct."""

    error: Exception | None = None
