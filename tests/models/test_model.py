"""What hpcgen.models.model promises of every model: gradients against central differences in float64, and one
line that says what is missing for data that do not suit it."""

import numpy as np
import pytest
from gradients import initialized, write_gradient

from hpcgen.config.reading import parse_config
from hpcgen.data.schema import Columns, Schema
from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.nn.buffers import follow
from hpcgen.nn.check import numerical_gradient, relative_error
from hpcgen.nn.vector import Vector

TEXT = Schema((6,), "uint8", "text", 0.0, 3.0, vocabulary="abcd")
SEQUENCE = Schema((6, 2), "float32", "array", -1.0, 1.0)
COLUMNS = Schema(
    (2,),
    "float32",
    "array",
    -1.0,
    1.0,
    inputs=Columns((1.0, 2.0, 3.0), (1.0, 2.0, 0.5)),
    outputs=Columns((0.0, 1.0), (1.0, 2.0)),
)
LABELLED = Schema((4, 4, 1), "float32", "image", -1.0, 1.0, classes=3)

RVAE = "kind = 'rvae'\nlatent = 2\nhidden = 3\nword_dropout = 0.3\n"
GAN = "kind = 'gan'\nlatent = 3\ngenerator = { hidden = [4], activation = 'tanh' }\n"
SMOOTH = "discriminator = { hidden = [5, 4], activation = 'tanh' }\n"
LEAKY = "discriminator = { hidden = [5, 4], activation = 'leaky-relu' }\n"
VAE = "kind = 'vae'\nlatent = 3\nencoder = { hidden = [5], activation = 'tanh' }\n"
VAE += "decoder = { hidden = [5], activation = 'elu' }\n"
CASES = {
    "text-gru": (RVAE + "embedding = 3\nkl_warmup = 7\nbeta = 0.8", TEXT),
    "text-lstm": (RVAE + "embedding = 3\ncell = 'lstm'", TEXT),
    "sequence-gru": (RVAE + "network = 'sequence'\nsigma = 0.5", SEQUENCE),
    "sequence-lstm": (RVAE + "network = 'sequence'\nfree_bits = 0.2\ncell = 'lstm'", SEQUENCE),
    "vae-warmup": (VAE + "kl_warmup = 7", LABELLED),
    "vae-free-bits": (VAE + "free_bits = 0.05\nbeta = 0.5", LABELLED),
    "vae-sigma": (VAE + "likelihood = 'gaussian'\nsigma = 0.3", LABELLED),
    "linear": ("kind = 'linear'", COLUMNS),
    "linear-intercept": ("kind = 'linear'\nintercept = true", COLUMNS),
    "regressor": ("kind = 'regressor'\nregressor = { hidden = [10, 10], activation = 'tanh' }", COLUMNS),
    "classifier": ("kind = 'classifier'\nclassifier = { hidden = [5], activation = 'tanh' }", LABELLED),
    "conditional": (GAN + SMOOTH + "conditional = true", LABELLED),
    "hinge": (GAN + SMOOTH + "loss = 'hinge'", LABELLED),
    "clipped": (GAN + LEAKY + "loss = 'wasserstein'\nclip = 0.5", LABELLED),
    "smoothed": (GAN + SMOOTH + "label_smoothing = 0.1", LABELLED),
    "spectral": (GAN + SMOOTH + "loss = 'hinge'\nspectral_norm = true", LABELLED),
    "penalty": (GAN + SMOOTH + "loss = 'wasserstein'\ngradient_penalty = 10.0", LABELLED),
    "penalty-leaky": (
        GAN + LEAKY + "loss = 'wasserstein'\ngradient_penalty = 10.0\nconditional = true",
        LABELLED,
    ),
}


def rows(schema, random, n=5):
    """Return samples, inputs and labels in a model's units."""
    tokens = schema.kind == "text"
    samples = (
        random.integers(0, len(schema.vocabulary), (n, *schema.shape))
        if tokens
        else random.random((n, *schema.shape))
    )
    inputs = random.standard_normal((n, len(schema.inputs))) if schema.inputs else None
    return samples, inputs, random.integers(0, schema.classes, n) if schema.classes else None


def made(text, schema):
    options = parse_config(f'data.path = "x"\n[model]\n{text}').model
    return MODELS[options.kind](options, schema)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name, random):
    model, schema = made(*CASES[name]), CASES[name][1]
    theta = initialized(model, random)
    for player in model.players:
        parameters = theta[player].data[model.layouts[player].parameters]
        parameters += 0.1 * random.standard_normal(parameters.shape)
    samples, inputs, labels = rows(schema, random)
    noise = model.noise(random, 5)
    noise = None if noise is None else noise.astype(np.float64)

    def gradient(player):
        grad = Vector(model.layouts[player], dtype=np.float64)
        streams = {"random": lambda i: np.random.default_rng(i), "step": 3}
        write_gradient(model, player, theta, Batch(5, samples, noise, inputs, labels, **streams), grad)
        return grad

    # A spectral norm is differentiated with its singular vectors held constant, which they are once they have
    # converged.
    buffered = [player for player in model.players if model.layouts[player].buffer_rules()]
    for _ in range(100):
        for player in buffered:
            mean = gradient(player).data / 5
            for where, rule in model.layouts[player].buffer_rules():
                follow(rule, theta[player].data[where], mean[where])
    for player in model.players:
        grad, parameters = gradient(player), model.layouts[player].parameters
        expected = numerical_gradient(lambda: float(gradient(player)["loss"]), theta[player].data)
        assert relative_error(grad.data[parameters], expected[parameters]) < 1e-7
        assert grad["count"] == 5


@pytest.mark.parametrize("name", CASES)
def test_a_batch_of_rows_gives_the_statistics_that_are_announced(name, random):
    """From rows as they lie in a data file to sums over the batch, and, where samples are drawn, back."""
    model, schema = made(*CASES[name]), CASES[name][1]
    theta = initialized(model, random, np.float32)
    samples, inputs, labels = rows(schema, random)
    samples = samples.astype(schema.dtype)
    noise, streams = model.noise(random, 5), lambda i: np.random.default_rng(i)
    batch = model.batch(5, samples, inputs, labels, noise, streams)
    assert model.units.decode(batch.samples) == pytest.approx(samples, abs=1e-6)
    for player in model.players:
        statistics, _ = model.objective(player, theta, batch)
        assert set(statistics) == set(model.statistics[player]) and statistics["count"] == 5
    if model.source:
        drawn = model.generate(theta, model.batch(5, None, inputs, labels, noise, streams))
        assert drawn.shape == samples.shape and drawn.dtype == samples.dtype
    else:
        with pytest.raises(AssertionError, match="draws no samples"):
            model.generate(theta, batch)


@pytest.mark.parametrize("name", CASES)
def test_a_players_vector_has_the_parts_of_its_networks(name):
    model = made(*CASES[name])
    for player in model.players:
        layout, networks = model.layouts[player], model.networks_of(player)
        parameters = {key: shape for network in networks for key, shape in network.parameters().items()}
        assert layout.shapes_of(layout.parameters) == parameters != {}
        assert list(layout.shapes_of(layout.buffers)) == [key for each in networks for key in each.buffers()]
        assert layout.shapes_of(layout.statistics) == dict.fromkeys(model.statistics[player], ())
    assert [network for player in model.players for network in model.networks_of(player)] == (
        [model.networks[player] for player in model.players]
        if len(model.players) > 1
        else list(model.networks.values())
    )


IMAGES = Schema((8, 8, 1), "uint8", "image", 0.0, 255.0)
LARGE = Schema((16, 16, 1), "uint8", "image", 0.0, 255.0)
DIGITS = Schema((8, 8, 1), "uint8", "image", 0.0, 255.0, classes=10)
LETTERS = Schema((12,), "uint8", "text", 0.0, 3.0, vocabulary="abcd")


@pytest.mark.parametrize(
    "text, schema, message",
    [
        ("kind = 'gan'", LETTERS, 'the samples are text, which needs model.kind = "rvae"'),
        ("kind = 'vae'", LETTERS, 'the samples are text, which needs model.kind = "rvae"'),
        ("kind = 'classifier'", LETTERS, "no labels of two classes"),
        ("kind = 'classifier'", IMAGES, "no labels of two classes"),
        (
            "kind = 'gan'\nconditional = true",
            IMAGES,
            "no labels of two classes or more, which model.conditional",
        ),
        ("kind = 'rvae'", IMAGES, 'model.network = "text" needs text'),
        ("kind = 'rvae'\nnetwork = 'sequence'", IMAGES, "samples of 8 x 8 x 1 are not sequences"),
        ("kind = 'rvae'\nnetwork = 'sequence'", LETTERS, "the samples are text"),
        ("kind = 'linear'", DIGITS, "the data have no /inputs"),
        ("kind = 'regressor'", LETTERS, "the data have no /inputs"),
        ("kind = 'gan'\nloss = 'wasserstein'", IMAGES, "needs a bound on the discriminator"),
        ("kind = 'gan'\nloss = 'hinge'\nlabel_smoothing = 0.1", IMAGES, "has no targets to smooth"),
        (
            "kind = 'gan'\nnetwork = 'dcgan64'\ngradient_penalty = 1.0",
            LARGE,
            "BatchNorm does not support second derivatives, which a gradient penalty needs; use a layer norm",
        ),
    ],
)
def test_refused(text, schema, message):
    with pytest.raises(InputError, match=message):
        made(text, schema)


@pytest.mark.parametrize(
    "text, schema",
    [
        ("kind = 'gan'\nconditional = true", DIGITS),
        ("kind = 'gan'\nloss = 'wasserstein'\nspectral_norm = true", IMAGES),
        (
            "kind = 'gan'\nnetwork = 'dcgan64'\ngradient_penalty = 1.0\ndiscriminator.normalization = false",
            IMAGES,
        ),
        ("kind = 'rvae'", LETTERS),
        ("kind = 'linear'", COLUMNS),
        ("kind = 'vae'", COLUMNS),
    ],
)
def test_taken(text, schema):
    model = made(text, schema)
    assert set(model.layouts) == set(model.players) == {player for player, _ in model.turns}
