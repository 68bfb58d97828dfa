"""A classifier of labelled samples; its last hidden layer is a feature space for `hpcgen evaluate`."""

from dataclasses import dataclass

import numpy as np

from hpcgen.errors import InputError
from hpcgen.models.model import Model
from hpcgen.models.networks.architectures import Layers, Perceptron, Pyramid
from hpcgen.models.networks.specs import build
from hpcgen.models.units import Interval
from hpcgen.nn.layer import Train
from hpcgen.nn.likelihoods import Categorical
from hpcgen.nn.vector import Layout
from hpcgen.settings import setting


@dataclass(frozen=True)
class ClassifierOptions:
    """The run file's [model] table for kind = "classifier"; the network's table follows from `network`."""

    kind: str = setting("classifier", choices=("classifier",))
    network: str = "perceptron"


@dataclass(frozen=True)
class PerceptronClassifier(ClassifierOptions):
    classifier: Perceptron = setting(Perceptron)


@dataclass(frozen=True)
class ConvolutionalClassifier(ClassifierOptions):
    classifier: Pyramid = setting(Pyramid)


@dataclass(frozen=True, kw_only=True)
class LayeredClassifier(ClassifierOptions):
    classifier: Layers = setting()


class Classifier(Model):
    """A network whose `classes` numbers are the logits of the labels 0 to classes - 1: cross entropy."""

    NETWORKS = {
        "perceptron": (PerceptronClassifier, {"classifier": {"hidden": [256, 64]}}),
        "convolutional": (
            ConvolutionalClassifier,
            {"classifier": {"width": 32, "activation": "relu", "deviation": 0.0}},
        ),
        "layers": (LayeredClassifier, {}),
    }
    players = ("classifier",)
    turns = (("classifier", 0),)
    source = None

    def __init__(self, options, schema):
        if schema.classes < 2:
            raise InputError(
                'data.path: the data have no labels of two classes or more, which model.kind = "classifier" learns'
            )
        self.units, self.classes = Interval(schema, -1.0, 1.0), schema.classes
        shape = tuple(schema.shape)
        specs = options.classifier.specs(shape, self.classes)
        self.network = build(specs, shape, (self.classes,), "model.classifier.layers")
        statistics = {"loss": (), "accuracy": (), "count": ()}
        self.layouts = {"classifier": Layout(self.network.parameters(), self.network.buffers(), statistics)}

    def initialize(self, player, theta, random):
        self.network.initialize(theta, random)

    def noise(self, random, size):
        return None

    def gradient(self, player, theta, batch, grad):
        """Write the sums over one lane of -log softmax(logits)[label], and of the labels that were guessed."""
        random = batch.random(0) if self.network.draws else None
        logits, backward = self.network.forward(theta["classifier"], batch.samples, Train(random=random))
        loss, slope = Categorical.loss(logits, batch.labels)
        backward(slope, grad, need_dx=False)
        grad["loss"][...] = loss
        grad["accuracy"][...] = np.count_nonzero(logits.argmax(1) == batch.labels)
        grad["count"][...] = batch.size

    def logits(self, theta, x):
        """Return the logits (n, classes) of samples x (n, *sample_shape)."""
        return self.network.forward(theta["classifier"], x, None)[0]

    def features(self, theta, x):
        """Return what the last layer is given, (n, features), of samples x (n, *sample_shape)."""
        for layer in self.network.layers[:-1]:
            x, _ = layer.forward(theta["classifier"], x, None)
        return x.reshape(len(x), -1)
