"""Networks as lists of layers. An error in the run file names the layer and the key."""

import numpy as np
import pytest

from hpcgen.config.reading import parse_config
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.models.networks.specs import LARGEST_WIDTH
from hpcgen.nn.vector import Layout, Vector

HEAD = 'data.path = "d.h5"\nmodel.network = "layers"\n'
DISCRIMINATOR = """
[[model.discriminator.layers]]
kind = "flatten"
[[model.discriminator.layers]]
kind = "dense"
outputs = 1
"""


def floats(*shape):
    """Return the schema of float32 samples of `shape` in -1 to 1."""
    return Schema(shape, "float32", "array", -1.0, 1.0)


def config(generator):
    return parse_config(f"{HEAD}model.generator.layers = [{generator}]\n{DISCRIMINATOR}").model


def model(generator, shape):
    options = config(generator)
    return MODELS[options.kind](options, floats(*shape))


@pytest.mark.parametrize(
    "generator, message",
    [
        (
            "{ kind = 'dens' }",
            r"model.generator.layers\[0\].kind = 'dens': must be one of .*\(did you mean dense\?\)",
        ),
        ("{ outputs = 3 }", r"model.generator.layers\[0\].kind is missing"),
        ("{ kind = 'tanh' }, { kind = 'dense' }", r"model.generator.layers\[1\].outputs is missing"),
        (
            "{ kind = 'dense', outputs = 0 }",
            rf"layers\[0\].outputs = 0: must be an integer >= 1 and <= {LARGEST_WIDTH}",
        ),
        ("{ kind = 'dense', outputs = 3, unit = 3 }", r"unknown key model.generator.layers\[0\].unit"),
        ("{ kind = 'conv', channels = 3, stride = [2, 0] }", r"layers\[0\].stride = \[2, 0\]: must be"),
        ("{ kind = 'dropout', rate = 1 }", r"layers\[0\].rate = 1: must be a number >= 0 and < 1"),
        ("3", r"model.generator.layers.* must be"),
    ],
)
def test_keys(generator, message):
    with pytest.raises(InputError, match=message):
        config(generator)


@pytest.mark.parametrize(
    "generator, message",
    [
        ("", "the output has shape 100, but must have 8 x 8"),
        ("{ kind = 'dense', outputs = 64 }", "the output has shape 64, but must have 8 x 8"),
        (
            "{ kind = 'reshape', shape = [9, 9] }",
            r"layers\[0\] \(reshape\) gets samples of 100: cannot be reshaped to 9 x 9",
        ),
        (
            "{ kind = 'conv', channels = 3 }",
            r"\(conv\) gets samples of 100: needs samples with one to three spatial axes",
        ),
        (
            "{ kind = 'reshape', shape = [10, 10] }, { kind = 'dense', outputs = 2 }",
            r"layers\[1\] \(dense\) .* put a flatten",
        ),
        (
            "{ kind = 'reshape', shape = [5, 5, 4] }, { kind = 'conv', channels = 2, kernel = [4] }",
            r"\[4\] must be one number, or 2 numbers",
        ),
        (
            "{ kind = 'reshape', shape = [5, 5, 4] }, { kind = 'conv', channels = 2, kernel = 9 }",
            "kernel of 9 x 9 does not fit into 7",
        ),
        (
            "{ kind = 'reshape', shape = [5, 5, 4] }, { kind = 'conv-transpose', channels = 2, "
            "output_padding = 2 }",
            "output_padding must be less than the stride",
        ),
        ("{ kind = 'reshape', shape = [] }", "cannot be reshaped to samples without an axis"),
        ("{ kind = 'layer-norm', axes = 2 }", r"axes = 2, but the samples have fewer axes"),
        ("{ kind = 'gru', hidden = 2 }", "needs samples with two axes, time and features"),
    ],
)
def test_shapes(generator, message):
    with pytest.raises(InputError, match=message):
        model(generator, (8, 8))


@pytest.mark.parametrize(
    "network, shape",
    [("dcgan28", (9, 9, 1)), ("dcgan64", (64,)), ("dcgan3d", (16, 16)), ("wavegan", (100, 8, 8))],
)
def test_samples_that_do_not_suit_a_network(network, shape):
    options = parse_config(f'data.path = "d.h5"\nmodel.network = "{network}"').model
    with pytest.raises(InputError, match=f"samples of {' x '.join(map(str, shape))}"):
        MODELS[options.kind](options, floats(*shape))


@pytest.mark.parametrize(
    "network, shape",
    [
        *(("dcgan64", (size, size, channels)) for size in (32, 64, 128) for channels in (1, 3)),
        ("dcgan64", (64, 32)),
        *(("dcgan3d", (size,) * 3) for size in (16, 32, 64)),
        ("wavegan", (1024,)),
        ("wavegan", (4096, 2)),
    ],
)
def test_sizes_that_a_network_serves(network, shape):
    text = f'data.path = "d.h5"\n[model]\nnetwork = "{network}"\ngenerator.width = 2\ndiscriminator.width = 2'
    options = parse_config(text).model
    gan = MODELS[options.kind](options, floats(*shape))
    theta = {player: Vector(gan.layouts[player].state()) for player in gan.players}
    for player in gan.players:
        gan.initialize(player, theta[player], np.random.default_rng(0))
    samples = gan.sample(theta, Batch(2, noise=gan.noise(np.random.default_rng(1), 2)))
    assert samples.shape == (2, *shape)
    assert gan.networks["discriminator"].forward(theta["discriminator"], samples, None)[0].shape == (2, 1)


def test_a_rectifier_is_part_of_the_layer_before_it():
    both = model("{ kind = 'dense', outputs = 64 }, { kind = 'relu' }", (64,)).networks["generator"]
    apart = model("{ kind = 'dense', outputs = 64 }, { kind = 'linear' }, { kind = 'relu' }", (64,)).networks[
        "generator"
    ]
    assert len(both.layers) == 1 and len(apart.layers) == 3
    theta = Vector(Layout(both.parameters()))
    both.initialize(theta, np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((5, 100), dtype=np.float32)
    assert np.array_equal(both.forward(theta, x)[0], apart.forward(theta, x)[0])


@pytest.mark.parametrize(
    "network, shape, generator, discriminator",
    [
        ("seedgan", (100,), ["100 x 128", "128 x 100"], ["100 x 128", "128 x 1"]),
        ("mlpgan", (28, 28), ["100 x 256", "256 x 512", "512 x 784"], ["784 x 512", "512 x 256", "256 x 1"]),
        (
            "dcgan28",
            (28, 28, 1),
            ["100 x 128", "128 x 12544", "4 x 4 x 128 x 256", "4 x 4 x 1 x 128"],
            ["4 x 4 x 1 x 64", "4 x 4 x 64 x 128", "6272 x 1"],
        ),
        (
            "dcgan64",
            (64, 64, 3),
            ["100 x 8192", "4 x 4 x 256 x 512", "4 x 4 x 128 x 256", "4 x 4 x 64 x 128", "4 x 4 x 3 x 64"],
            ["4 x 4 x 3 x 64", "4 x 4 x 64 x 128", "4 x 4 x 128 x 256", "4 x 4 x 256 x 512", "8192 x 1"],
        ),
        (
            "dcgan3d",
            (16, 16, 16),
            ["100 x 8192", "4 x 4 x 4 x 64 x 128", "4 x 4 x 4 x 1 x 64"],
            ["4 x 4 x 4 x 1 x 64", "4 x 4 x 4 x 64 x 128", "8192 x 1"],
        ),
        (
            "wavegan",
            (256,),
            ["100 x 2048", "25 x 64 x 128", "25 x 1 x 64"],
            ["25 x 1 x 64", "25 x 64 x 128", "2048 x 1"],
        ),
    ],
)
def test_presets(network, shape, generator, discriminator):
    options = parse_config(f'data.path = "d.h5"\nmodel.network = "{network}"').model
    gan = MODELS[options.kind](options, floats(*shape))
    for player, expected in (("generator", generator), ("discriminator", discriminator)):
        shapes = gan.networks[player].parameters()
        assert [
            " x ".join(map(str, size)) for name, size in shapes.items() if name.endswith("weight")
        ] == expected
        norms = sum(name.endswith("gamma") for name in shapes)
        assert norms == (
            len(expected) - (1 if player == "generator" else 2) if network in ("dcgan64", "dcgan3d") else 0
        )


@pytest.mark.parametrize("layer", ["{ kind = 'dense', outputs = 64, deviation = 0.5 }"])
def test_the_deviation_that_weights_start_with(layer):
    chain = model(layer, (64,)).networks["generator"]
    theta = Vector(Layout(chain.parameters()))
    chain.initialize(theta, np.random.default_rng(0))
    assert theta["dense1/weight"].std() == pytest.approx(0.5, rel=0.05) and not theta["dense1/bias"].any()


@pytest.mark.parametrize(
    "last, low", [("sigmoid", 0), ("tanh", -1), ("sigmoid' }, { kind = 'upsample", 0), ("linear", -1)]
)
def test_the_interval_of_samples(last, low):
    layers = f"""
        {{ kind = 'dense', outputs = 16 }}, {{ kind = 'reshape', shape = [4, 4, 1] }}, {{ kind = '{last}' }}
    """
    shape = (8, 8, 1) if "upsample" in last else (4, 4, 1)
    assert model(layers, shape).units.range == (low, 1)
