"""The base class of models."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np

from hpcgen.arrays import Array, from_host
from hpcgen.data.schema import Schema
from hpcgen.models.batch import Batch, Streams, no_stream
from hpcgen.models.units import Units
from hpcgen.nn.divided import Gradient, each
from hpcgen.nn.layer import Layer
from hpcgen.nn.vector import Layout, Vector

Theta = Mapping[str, Vector]
Statistics = dict[str, Any]
Backward = Callable[[Gradient], None]


@dataclass(frozen=True)
class ModelOptions:
    """The keys of the [model] table that every kind of model has."""

    kind: str = ""
    network: str = ""


@dataclass(frozen=True)
class Preset:
    """A named network: the type of the [model] table, the types of its subtables, and preset values.

    `tables` maps each subtable, such as [model.generator], to its dataclass.
    """

    options: type[ModelOptions]
    tables: Mapping[str, type] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


class Model(ABC):
    """Networks, players, and the objective of each player on a batch.

    The constructor takes the model's options and the data's Schema. It raises InputError if they do not suit
    each other. theta maps each player to its Vector.
    """

    # The networks by name. The first is the default.
    NETWORKS: ClassVar[Mapping[str, Preset]]
    players: ClassVar[tuple[str, ...]]
    # The names of the statistics that the objective of each player returns.
    statistics: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    # The turns of a step in order: a player, and the number of its batch.
    turns: tuple[tuple[str, int], ...]
    # The networks by name. With several players, each player has the network with its own name.
    networks: Mapping[str, Layer]
    # The conversion of samples and of inputs to the model's numbers.
    units: Units
    input_units: Units | None = None
    # For networks at samples: whether the input is a sample, and whether the output is one.
    at_samples: ClassVar[Mapping[str, tuple[bool, bool]]] = MappingProxyType({})
    # The ranks that share the cells of a sample. None: samples are not divided.
    team: Any = None
    # The largest absolute value of a parameter, for players with a bound.
    limits: Mapping[str, float]
    # What samples are generated from. None: the model generates no samples.
    source: Literal["noise", "inputs"] | None = "noise"
    # The number of labels, 0 to classes - 1, if samples are generated for a label. Otherwise 0.
    classes: int = 0

    def __init__(self, options: Any, schema: Schema) -> None:
        self.limits, self.sample_shape = {}, tuple(schema.shape)

    @property
    def layouts(self) -> dict[str, Layout]:
        """The Layout of each player: parameters and buffers of its networks, and its statistics."""
        return {player: self._layout(player) for player in self.players}

    def networks_of(self, player: str) -> list[Layer]:
        """Return the networks that belong to a player, in the order of its vector."""
        return [self.networks[player]] if len(self.players) > 1 else list(self.networks.values())

    def _layout(self, player: str) -> Layout:
        networks = self.networks_of(player)
        return Layout(
            {name: shape for network in networks for name, shape in network.parameters().items()},
            {name: shape for network in networks for name, shape in network.buffers().items()},
            dict.fromkeys(self.statistics[player], ()),
        )

    def divide(self, team: Any, place: Callable[[Any, bool, bool], Any]) -> None:
        """Make the networks work on samples that are divided among `team`.

        place(network, takes samples, makes samples) returns the network that replaces each.
        """
        self.team = team
        for name, (takes, makes) in self.at_samples.items():
            self.networks = {**self.networks, name: place(self.networks[name], takes, makes)}

    def initialize(self, player: str, theta: Vector, random: np.random.Generator) -> None:
        """Fill a player's parameters and running statistics with their initial values."""
        for network in self.networks_of(player):
            network.initialize(theta, random)

    def batch(
        self,
        size: int,
        samples: Any = None,
        inputs: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        noise: Array | None = None,
        random: Streams | None = no_stream,
        step: int = 0,
    ) -> Batch:
        """Return the Batch of rows of a data file. Samples and inputs are converted to the model's units."""
        if self.team is not None and isinstance(samples, np.ndarray):
            samples = self.team.cut(samples)
        return Batch(
            size,
            None if samples is None else each(self.units.encode, samples),
            noise,
            None if inputs is None or self.input_units is None else self.input_units.encode(inputs),
            None if labels is None else from_host(labels),
            random,
            step,
        )

    def generate(self, theta: Theta, batch: Batch) -> np.ndarray:
        """Return whole samples (size, *sample_shape) in the data's own interval and type."""
        return self.units.decode(self.sample(theta, batch))

    def noise(self, random: np.random.Generator, size: int) -> Array | None:
        """Return the noise from which a batch's samples are made, (size, ...) float32, or None."""
        return None

    @abstractmethod
    def objective(self, player: str, theta: Theta, batch: Batch) -> tuple[Statistics, Backward]:
        """Return the player's statistics, as sums over the batch, and the closure backward(grad).

        `backward` writes the derivatives of the player's loss into the parameters of `grad`, and the
        statistics of the batch into its buffers.
        """

    def sample(self, theta: Theta, batch: Batch) -> Any:
        """Return samples (size, *sample_shape) in the model's units from the batch's noise, inputs or
        labels.

        They are `Divided` if the model is. Collective over its team.
        """
        raise AssertionError(f"{type(self).__name__} draws no samples")
