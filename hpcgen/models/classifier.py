"""A classifier of labelled samples. Its last hidden layer is a feature space for `hpcgen evaluate`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from hpcgen.arrays import Array
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.models.batch import Batch
from hpcgen.models.model import Backward, Model, ModelOptions, Preset, Statistics, Theta
from hpcgen.models.networks.architectures import Layers, Perceptron, Pyramid
from hpcgen.models.networks.building import build
from hpcgen.models.units import Interval
from hpcgen.nn.chain import Chain
from hpcgen.nn.layer import Train
from hpcgen.nn.likelihoods import Categorical
from hpcgen.nn.vector import Vector


@dataclass(frozen=True)
class ClassifierOptions(ModelOptions):
    """The [model] table for kind = "classifier". `network` chooses the type of `classifier`."""

    classifier: Perceptron | Pyramid | Layers = field(kw_only=True)


class Classifier(Model):
    """A network whose outputs are the logits of the labels 0 to classes - 1, trained by cross entropy."""

    NETWORKS: ClassVar = {
        "perceptron": Preset(
            ClassifierOptions, {"classifier": Perceptron}, {"classifier": {"hidden": [256, 64]}}
        ),
        "convolutional": Preset(
            ClassifierOptions,
            {"classifier": Pyramid},
            {"classifier": {"width": 32, "activation": "relu", "deviation": 0.0}},
        ),
        "layers": Preset(ClassifierOptions, {"classifier": Layers}),
    }
    players = ("classifier",)
    at_samples: ClassVar = {"classifier": (True, False)}
    turns = (("classifier", 0),)
    statistics = MappingProxyType({"classifier": ("loss", "accuracy", "count")})
    source = None
    networks: Mapping[str, Chain]

    def __init__(self, options: ClassifierOptions, schema: Schema) -> None:
        super().__init__(options, schema)
        if schema.classes < 2:
            raise InputError(
                "data.path: the data have no labels of two classes or more, which model.kind = "
                '"classifier" needs'
            )
        self.units, self.classes = Interval(schema, -1.0, 1.0), schema.classes
        shape = tuple(schema.shape)
        specs = options.classifier.specs(shape, self.classes)
        self.networks = {"classifier": build(specs, shape, (self.classes,), "model.classifier.layers")}

    def objective(self, player: str, theta: Theta, batch: Batch) -> tuple[Statistics, Backward]:
        """Return the sum of -log softmax(logits)[label] and the number of correct labels, over the batch."""
        random = batch.random(0) if self.networks["classifier"].draws and batch.random else None
        logits, network_backward = self.networks["classifier"].forward(
            theta["classifier"], batch.samples, Train(random=random)
        )
        loss, slope = Categorical.loss(logits, batch.labels)

        def backward(grad: Vector) -> None:
            network_backward(slope, grad, need_dx=False)

        guessed = np.count_nonzero(logits.argmax(1) == batch.labels)
        return {"loss": loss, "accuracy": guessed, "count": batch.size}, backward

    def logits(self, theta: Theta, batch: Batch) -> Array:
        """Return the logits (size, classes) for a batch's samples."""
        return self.networks["classifier"].forward(theta["classifier"], batch.samples, None)[0]

    def features(self, theta: Theta, batch: Batch) -> Array:
        """Return the inputs of the last layer, (size, features), for a batch's samples."""
        x = batch.samples
        for layer in self.networks["classifier"].layers[:-1]:
            x, _ = layer.forward(theta["classifier"], x, None)
        return x.reshape(batch.size, -1)
