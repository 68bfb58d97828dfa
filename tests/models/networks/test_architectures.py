"""Architectures: the layers of each preset, the sizes that they serve, and those that they refuse."""

import numpy as np
import pytest
from gradients import initialized

from hpcgen.config.reading import parse_config
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.models.networks.architectures import Perceptron, PerceptronGenerator, Pyramid, PyramidGenerator
from hpcgen.models.networks.building import build


def gan(network, shape, keys=""):
    options = parse_config(f'data.path = "d.h5"\n[model]\nnetwork = "{network}"\n{keys}').model
    return MODELS[options.kind](options, Schema(shape, "float32", "array", -1.0, 1.0))


def weights(network):
    shapes = network.parameters()
    return [" x ".join(map(str, size)) for name, size in shapes.items() if name.endswith("weight")]


@pytest.mark.parametrize(
    "network, shape",
    [("dcgan28", (9, 9, 1)), ("dcgan64", (64,)), ("dcgan3d", (16, 16)), ("wavegan", (100, 8, 8))],
)
def test_samples_that_do_not_suit_a_network(network, shape):
    with pytest.raises(InputError, match=f"samples of {' x '.join(map(str, shape))}"):
        gan(network, shape)


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
def test_sizes_that_a_network_serves(random, network, shape):
    model = gan(network, shape, "generator.width = 2\ndiscriminator.width = 2")
    theta = initialized(model, random, np.float32)
    samples = model.sample(theta, Batch(2, noise=model.noise(random, 2)))
    assert samples.shape == (2, *shape)
    logits, _ = model.networks["discriminator"].forward(theta["discriminator"], samples, None)
    assert logits.shape == (2, 1)


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
    model = gan(network, shape)
    for player, expected in (("generator", generator), ("discriminator", discriminator)):
        assert weights(model.networks[player]) == expected
        norms = sum(name.endswith("gamma") for name in model.networks[player].parameters())
        assert norms == (
            len(expected) - (1 if player == "generator" else 2) if network in ("dcgan64", "dcgan3d") else 0
        )


@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("extra", [0, 1, 2, 3])
@pytest.mark.parametrize("axes", [1, 2])
def test_a_pyramid_divides_by_its_stride_and_its_generator_multiplies(stride, extra, axes):
    """Whatever the kernel: an odd number of places too many is made up for."""
    shape, keys = (*(2 * stride**2,) * axes, 3), {"axes": axes, "width": 2, "smallest": 2}
    down = Pyramid(stride=stride, kernel=stride + extra, **keys).specs(shape, 5)
    up = PyramidGenerator(stride=stride, kernel=stride + extra, **keys).back(shape)
    there, back = build(down, shape, (5,), "there"), build(up, (7,), shape, "back")
    # Two stages: all places are 2 an axis in the end, with twice as many channels as after the first stage.
    assert there.parameters()["dense1/weight"] == (2**axes * 4, 5)
    assert back.parameters()["dense1/weight"] == (7, 2**axes * 4)
    kernel = (*(stride + extra,) * axes, 2, 4)
    assert there.parameters()["conv2/weight"] == back.parameters()["conv_transpose1/weight"] == kernel


def test_a_kernel_smaller_than_its_stride_would_skip_places():
    with pytest.raises(InputError, match="a kernel of 2 is smaller than the stride 3"):
        Pyramid(axes=1, kernel=2, stride=3).specs((27, 1))


def test_a_pyramid_without_channels_has_one():
    pyramid = Pyramid(width=2)
    plain, one = (build(pyramid.specs(shape), shape, (1,), "x") for shape in ((8, 8), (8, 8, 1)))
    assert plain.parameters() == one.parameters()


def test_with_norms_no_layer_has_a_bias():
    for normalization in (True, False):
        pyramid = Pyramid(width=2, normalization=normalization)
        names = build(pyramid.specs((16, 16, 3)), (16, 16, 3), (1,), "x").parameters()
        assert any(name.endswith("/bias") for name in names) == (not normalization)
        # The convolution at the samples has no norm.
        assert [name for name in names if name.endswith("gamma")] == ["batch_norm1/gamma"] * normalization


def test_perceptrons():
    there = build(Perceptron([6, 4], "tanh").specs((3, 2), 5), (3, 2), (5,), "x")
    assert weights(there) == ["6 x 6", "6 x 4", "4 x 5"]
    back = build(Perceptron([6, 4]).back((3, 2)), (5,), (3, 2), "x")
    assert weights(back) == ["5 x 6", "6 x 4", "4 x 6"]
    ends = [type(layer).__name__ for layer in back.layers]
    samples = PerceptronGenerator([6, 4], output="sigmoid").back((3, 2))
    assert [type(layer).__name__ for layer in build(samples, (5,), (3, 2), "x").layers] == [
        *ends[:-1], "Sigmoid", ends[-1]
    ]  # fmt: skip
