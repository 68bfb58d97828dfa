"""Compare the gradients of every model with central differences, in float64."""

import numpy as np
import pytest
from gradients import write_gradient

from hpcgen.config.reading import parse_config
from hpcgen.data.schema import Columns, Schema
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

RVAE = "kind = 'rvae'\nlatent = 3\nhidden = 4\nword_dropout = 0.3\n"
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


@pytest.mark.parametrize("name", CASES)
def test_gradients(name, random):
    text, schema = CASES[name]
    options = parse_config(f'data.path = "x"\n[model]\n{text}').model
    model = MODELS[options.kind](options, schema)
    theta = {player: Vector(model.layouts[player].state(), dtype=np.float64) for player in model.players}
    for player in model.players:
        model.initialize(player, theta[player], random)
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
    for _ in range(100):
        for player in model.players:
            mean = gradient(player).data / 5
            for where, rule in model.layouts[player].buffer_rules():
                follow(rule, theta[player].data[where], mean[where])
    for player in model.players:
        grad, parameters = gradient(player), model.layouts[player].parameters
        expected = numerical_gradient(lambda: float(gradient(player)["loss"]), theta[player].data)
        assert relative_error(grad.data[parameters], expected[parameters]) < 1e-7
        assert grad["count"] == 5


def test_warmup_and_free_bits():
    """The weight of the divergence grows to beta; what lies below the free bits counts as so much."""
    text, schema = CASES["vae-warmup"]
    options = parse_config(f'data.path = "x"\n[model]\n{text}\nbeta = 0.5').model
    posterior = MODELS["vae"](options, schema).posterior
    assert [posterior.beta(step) for step in (0, 6, 700)] == pytest.approx([0.5 / 7, 0.5, 0.5])
    codes = np.zeros((4, 6))
    codes[:, 0] = 3.0
    options = parse_config(f'data.path = "x"\n[model]\n{VAE}\nfree_bits = 0.25').model
    _, kl, weighed, backward = MODELS["vae"](options, schema).posterior.draw(codes, np.zeros((4, 3)), 0)
    assert kl == pytest.approx(4 * 4.5) and weighed == pytest.approx(4 * (4.5 + 0.25 + 0.25))
    dcodes = backward(np.zeros((4, 3)))
    assert dcodes[:, 0] == pytest.approx(3.0) and not dcodes[:, 1:3].any() and not dcodes[:, 4:].any()
