"""The classifier's loss and statistics by their definition, and the features that its logits are made of."""

import numpy as np
import pytest
from gradients import initialized

from hpcgen.config.reading import parse_config
from hpcgen.data.schema import Schema
from hpcgen.models.classifier import Classifier

N = 12
NETWORKS = {
    "perceptron": "classifier.hidden = [6, 5]",
    "convolutional": "classifier.width = 3",
    "layers": "classifier.layers = [{ kind = 'flatten' }, { kind = 'dropout' }, "
    "{ kind = 'dense', outputs = 3 }]",
}


def made(network, random, dtype=np.float32):
    keys = f"kind = 'classifier'\nnetwork = '{network}'\n{NETWORKS[network]}"
    options = parse_config(f'data.path = "x"\n[model]\n{keys}').model
    model = Classifier(options, Schema((8, 8, 1), "uint8", "image", 0.0, 255.0, classes=3))
    samples, labels = random.integers(0, 255, (N, 8, 8, 1), np.uint8), random.integers(0, 3, N)
    return model, initialized(model, random, dtype), model.batch(N, samples, labels=labels)


@pytest.mark.parametrize("network", NETWORKS)
def test_logits_are_made_of_features(random, network):
    model, theta, batch = made(network, random)
    features, logits = model.features(theta, batch), model.logits(theta, batch)
    last, own = model.networks["classifier"].layers[-1], theta["classifier"]
    assert logits.shape == (N, 3) and features.shape == (N, last.inputs)
    expected = features @ own[last.weight] + (own[last.bias] if last.bias else 0)
    assert logits == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("network", ["perceptron", "convolutional"])
def test_statistics(random, network):
    model, theta, batch = made(network, random)
    chances = np.exp(model.logits(theta, batch).astype(np.float64))
    chances /= chances.sum(1, keepdims=True)
    statistics, _ = model.objective("classifier", theta, batch)
    guessed = [row.argmax() == label for row, label in zip(chances, batch.labels)]
    assert 0 < sum(guessed) < N
    assert (statistics["accuracy"], statistics["count"]) == (sum(guessed), N)
    expected = -sum(np.log(row[label]) for row, label in zip(chances, batch.labels))
    assert statistics["loss"] == pytest.approx(expected, rel=1e-5)


def test_a_network_that_knows_nothing_costs_the_logarithm_of_the_classes(random):
    model, theta, batch = made("perceptron", random)
    theta["classifier"].data[...] = 0
    statistics, _ = model.objective("classifier", theta, batch)
    assert statistics["loss"] == pytest.approx(N * np.log(3), rel=1e-6)


def test_dropout_is_drawn_in_training_alone(random):
    model, theta, batch = made("layers", random)
    asked = []
    batch.random = lambda i: asked.append(i) or np.random.default_rng(i)
    losses = [model.objective("classifier", theta, batch)[0]["loss"] for _ in range(2)]
    assert asked == [0, 0] and losses[0] == losses[1]
    model.logits(theta, batch)
    assert asked == [0, 0]
