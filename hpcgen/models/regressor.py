"""A multilayer regression network, trained with the squared error."""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

from hpcgen.arrays import Array
from hpcgen.data.schema import Schema
from hpcgen.models.batch import Batch
from hpcgen.models.model import Backward, Model, ModelOptions, Preset, Statistics, Theta
from hpcgen.models.networks.architectures import Perceptron
from hpcgen.models.networks.building import build
from hpcgen.models.units import Standard, require_inputs
from hpcgen.nn.layer import Train
from hpcgen.nn.vector import Vector


@dataclass(frozen=True)
class RegressorOptions(ModelOptions):
    """The [model] table for kind = "regressor"."""

    regressor: Perceptron = field(kw_only=True)


class Regressor(Model):
    """A perceptron that maps inputs x (n, p) to samples y (n, q). Each column of x and y is standardised."""

    NETWORKS: ClassVar = {
        "regressor": Preset(RegressorOptions, {"regressor": Perceptron}, {"regressor": {"hidden": [10, 10]}})
    }
    players = ("regressor",)
    turns = (("regressor", 0),)
    statistics = MappingProxyType({"regressor": ("loss", "squared_error", "count")})
    source = "inputs"

    def __init__(self, options: RegressorOptions, schema: Schema) -> None:
        super().__init__(options, schema)
        inputs, outputs = require_inputs(schema, options.kind)
        self.units = Standard(outputs, schema.shape)
        self.input_units = Standard(inputs, (len(inputs),))
        start, end = (len(inputs),), (len(outputs),)
        specs = options.regressor.specs(start, len(outputs))
        self.networks = {"regressor": build(specs, start, end, "model.regressor")}

    def objective(self, player: str, theta: Theta, batch: Batch) -> tuple[Statistics, Backward]:
        """Return the sums over the batch of |f(x) - y|^2 / 2.

        The mean squared error of a column is the share of its variance that the model does not explain.
        """
        network = self.networks["regressor"]
        predicted, network_backward = network.forward(theta["regressor"], batch.inputs, Train())
        error = predicted - batch.samples
        squares = (error * error).sum()

        def backward(grad: Vector) -> None:
            network_backward(error, grad, need_dx=False)

        statistics = {
            "loss": 0.5 * squares,
            "squared_error": squares / error.shape[1],
            "count": batch.size,
        }
        return statistics, backward

    def sample(self, theta: Theta, batch: Batch) -> Array:
        """Return the predictions f(x) (size, q) for the batch's inputs x (size, p)."""
        return self.networks["regressor"].forward(theta["regressor"], batch.inputs, None)[0]
