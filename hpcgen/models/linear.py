"""The linear stochastic generator y = theta x + epsilon, with normal epsilon."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from hpcgen.arrays import Array, to_host
from hpcgen.data.schema import Schema
from hpcgen.models.batch import Batch
from hpcgen.models.model import Backward, Model, ModelOptions, Preset, Statistics, Theta
from hpcgen.models.units import Standard, require_inputs
from hpcgen.nn.layer import TRAIN, Layer, Parameters, Train
from hpcgen.nn.layer import Backward as LayerBackward
from hpcgen.nn.vector import Vector
from hpcgen.settings import setting
from hpcgen.streams import normal


@dataclass(frozen=True)
class LinearOptions(ModelOptions):
    """The [model] table for kind = "linear"."""

    intercept: bool = setting(False, help="add a constant to y")


class LinearMap(Layer):
    """The mean of y (n, q) given x (n, p), and the logarithm of the noise's standard deviation (q,)."""

    def __init__(self, inputs: int, outputs: int, intercept: bool) -> None:
        self.inputs, self.outputs, self.intercept = inputs, outputs, intercept

    def parameters(self) -> dict[str, tuple[int, ...]]:
        intercept = {"intercept": (self.outputs,)} if self.intercept else {}
        return {"theta": (self.inputs, self.outputs), **intercept, "log_deviation": (self.outputs,)}

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        for name in self.parameters():
            theta[name][...] = 0

    def forward(
        self, theta: Parameters, x: Array, train: Train | None = TRAIN
    ) -> tuple[Array, LayerBackward]:
        y = x @ theta["theta"]
        if self.intercept:
            y = y + theta["intercept"]

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            if grad is not None:
                np.matmul(x.T, dy, out=grad["theta"])
                if self.intercept:
                    grad["intercept"][...] = dy.sum(0)
            return dy @ theta["theta"].T if need_dx else None

        return y, backward


class LinearGenerator(Model):
    """Maximum likelihood of y (n, q) given x (n, p).

    Without an intercept, each column is divided by its root mean square. With an intercept, the mean of each
    column is subtracted, and the column is divided by its standard deviation. Therefore one learning rate
    suits data in any units. The parameters are `theta` (p, q), `log_deviation` (q,) of the noise, and
    `intercept` (q,) if there is one.
    """

    NETWORKS: ClassVar = {"linear": Preset(LinearOptions)}
    players = ("linear",)
    turns = (("linear", 0),)
    statistics = MappingProxyType({"linear": ("loss", "squared_error", "count")})
    source = "inputs"
    units: Standard
    input_units: Standard

    def __init__(self, options: LinearOptions, schema: Schema) -> None:
        super().__init__(options, schema)
        inputs, outputs = require_inputs(schema, options.kind)
        self.intercept = options.intercept
        self.units = Standard(outputs, schema.shape, self.intercept)
        self.input_units = Standard(inputs, (len(inputs),), self.intercept)
        self._outputs = len(outputs)
        self.networks = {"linear": LinearMap(len(inputs), len(outputs), self.intercept)}

    def noise(self, random: np.random.Generator, size: int) -> Array:
        return normal(random, (size, self._outputs))

    def objective(self, player: str, theta: Theta, batch: Batch) -> tuple[Statistics, Backward]:
        """Return the sums over the batch of -log p(y | x) = (r / sigma)^2 / 2 + log sigma + log(2 pi) / 2.

        r = y - theta x is the residual. The mean of r^2 over the columns is in units of the columns' mean
        squares.
        """
        log_deviation = theta["linear"]["log_deviation"]
        mean, mean_backward = self.networks["linear"].forward(theta["linear"], batch.inputs)
        residual = mean - batch.samples
        weighed = residual * np.exp(-2 * log_deviation)
        squares = (residual * weighed).sum(0)

        def backward(grad: Vector) -> None:
            mean_backward(weighed, grad, need_dx=False)
            grad["log_deviation"][...] = batch.size - squares

        constant = log_deviation + 0.5 * np.log(2 * np.pi)
        return {
            "loss": 0.5 * squares.sum() + batch.size * constant.sum(),
            "squared_error": (residual * residual).sum() / self._outputs,
            "count": batch.size,
        }, backward

    def sample(self, theta: Theta, batch: Batch) -> Array:
        """Draw y (size, q) for the batch's inputs x (size, p)."""
        own = theta["linear"]
        mean, _ = self.networks["linear"].forward(own, batch.inputs)
        return mean + np.exp(own["log_deviation"]) * batch.noise

    def coefficients(self, theta: Theta) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return theta (p, q), the intercept (q,) and the noise's standard deviation (q,) in the data's
        units."""
        own = {name: to_host(values) for name, values in theta["linear"].items()}
        x, y = self.input_units, self.units
        slope = own["theta"] / x.scale[:, None] * y.scale
        start = own["intercept"] * y.scale if self.intercept else 0.0
        return slope, y.offset + start - x.offset @ slope, np.exp(own["log_deviation"]) * y.scale
