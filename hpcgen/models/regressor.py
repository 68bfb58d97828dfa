"""A multilayer regression network: squared error by distributed gradient descent."""

from dataclasses import dataclass

from hpcgen.models.model import Model
from hpcgen.models.networks.architectures import Perceptron
from hpcgen.models.networks.specs import build
from hpcgen.models.units import Standard, require_inputs
from hpcgen.nn.layer import Train
from hpcgen.nn.vector import Layout
from hpcgen.settings import setting


@dataclass(frozen=True)
class RegressorOptions:
    """The run file's [model] table for kind = "regressor"."""

    kind: str = setting("regressor", choices=("regressor",))
    network: str = "regressor"
    regressor: Perceptron = setting(Perceptron)


class Regressor(Model):
    """A perceptron from inputs x (n, p) to samples y (n, q), both standardised column by column."""

    NETWORKS = {"regressor": (RegressorOptions, {"regressor": {"hidden": [10, 10]}})}
    players = ("regressor",)
    turns = (("regressor", 0),)
    source = "inputs"

    def __init__(self, options, schema):
        require_inputs(schema, options.kind)
        self.units = Standard(schema.outputs, schema.shape)
        self.input_units = Standard(schema.inputs, (len(schema.inputs),))
        start, end = (len(schema.inputs),), (len(schema.outputs),)
        self.network = build(options.regressor.specs(start, *end), start, end, "model.regressor")
        self.layouts = {
            "regressor": Layout(self.network.parameters(), {}, {"loss": (), "squared_error": (), "count": ()})
        }

    def initialize(self, player, theta, random):
        self.network.initialize(theta, random)

    def noise(self, random, size):
        return None

    def gradient(self, player, theta, batch, grad):
        """Write the sums over one lane of |f(x) - y|^2 / 2; the mean squared error of a column is the share of
        the variance that is not explained."""
        predicted, backward = self.network.forward(theta["regressor"], batch.inputs, Train())
        error = predicted - batch.samples
        squares = (error * error).sum()
        backward(error, grad, need_dx=False)
        grad["loss"][...] = 0.5 * squares
        grad["squared_error"][...] = squares / error.shape[1]
        grad["count"][...] = batch.size

    def sample(self, theta, batch):
        """Return the predictions f(x) (size, q) for the batch's inputs x (size, p)."""
        return self.network.forward(theta["regressor"], batch.inputs, None)[0]
