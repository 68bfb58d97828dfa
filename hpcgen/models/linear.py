"""The linear stochastic generator y = theta x + epsilon, epsilon normal: its coefficients and the noise's scale."""

from dataclasses import dataclass

import numpy as np

from hpcgen.models.model import Model
from hpcgen.models.units import Standard, require_inputs
from hpcgen.nn.vector import Layout
from hpcgen.settings import setting
from hpcgen.streams import normal


@dataclass(frozen=True)
class LinearOptions:
    """The run file's [model] table for kind = "linear"; `intercept` adds a constant to y."""

    kind: str = setting("linear", choices=("linear",))
    network: str = "linear"
    intercept: bool = False


class Linear(Model):
    """Maximum likelihood of y (n, q) given x (n, p), each column in units of its root mean square (its standard deviation and
    less its mean with an intercept), so that one learning rate suits data in any units.

    The parameters are `theta` (p, q), with an intercept `intercept` (q,), and `log_deviation` (q,) of the noise.
    """

    NETWORKS = {"linear": (LinearOptions, {})}
    players = ("linear",)
    turns = (("linear", 0),)
    source = "inputs"

    def __init__(self, options, schema):
        require_inputs(schema, options.kind)
        self.intercept = options.intercept
        self.units = Standard(schema.outputs, schema.shape, self.intercept)
        self.input_units = Standard(schema.inputs, (len(schema.inputs),), self.intercept)
        self._outputs = outputs = len(schema.outputs)
        parameters = {"theta": (len(schema.inputs), outputs)} | (
            {"intercept": (outputs,)} if self.intercept else {}
        )
        statistics = {"loss": (), "squared_error": (), "count": ()}
        self.layouts = {"linear": Layout(parameters | {"log_deviation": (outputs,)}, {}, statistics)}

    def initialize(self, player, theta, random):
        theta.data[...] = 0

    def noise(self, random, size):
        return normal(random, (size, self._outputs))

    def gradient(self, player, theta, batch, grad):
        """Write the sums over one lane of -log p(y | x) = (r / sigma)^2 / 2 + log sigma + log(2 pi) / 2, where r = y - theta x;
        the mean of r^2 over the columns is in units of their mean squares."""
        x, log_deviation = batch.inputs, theta["linear"]["log_deviation"]
        residual = self._mean(theta["linear"], x) - batch.samples
        weighed = residual * np.exp(-2 * log_deviation)
        squares = (residual * weighed).sum(0)
        np.matmul(x.T, weighed, out=grad["theta"])
        if self.intercept:
            grad["intercept"][...] = weighed.sum(0)
        grad["log_deviation"][...] = batch.size - squares
        constant = log_deviation + 0.5 * np.log(2 * np.pi)
        grad["loss"][...] = 0.5 * squares.sum() + batch.size * constant.sum()
        grad["squared_error"][...] = (residual * residual).sum() / self._outputs
        grad["count"][...] = batch.size

    def _mean(self, theta, x):
        y = x @ theta["theta"]
        return y + theta["intercept"] if self.intercept else y

    def sample(self, theta, batch):
        """Return y (size, q) drawn for the batch's inputs x (size, p)."""
        theta = theta["linear"]
        return self._mean(theta, batch.inputs) + np.exp(theta["log_deviation"]) * batch.noise

    def coefficients(self, theta):
        """Return theta (p, q), the intercept (q,) and the noise's standard deviation (q,) in the data's units."""
        theta, x, y = theta["linear"], self.input_units, self.units
        slope = theta["theta"] / x.scale[:, None] * y.scale
        start = theta["intercept"] * y.scale if self.intercept else 0.0
        return slope, y.offset + start - x.offset @ slope, np.exp(theta["log_deviation"]) * y.scale
