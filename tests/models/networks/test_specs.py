"""Layers as tables of a run file: keys that are wrong are named, and each kind makes what it says."""

import numpy as np
import pytest

from hpcgen.config.reading import parse_config
from hpcgen.errors import InputError
from hpcgen.models.networks import specs
from hpcgen.models.networks.specs import LARGEST_WIDTH, LAYERS
from hpcgen.nn.layer import Train
from hpcgen.nn.vector import Layout, Vector

HEAD = 'data.path = "d.h5"\nmodel.network = "layers"\n'
DISCRIMINATOR = """
[[model.discriminator.layers]]
kind = "flatten"
[[model.discriminator.layers]]
kind = "dense"
outputs = 1
"""


def config(generator):
    return parse_config(f"{HEAD}model.generator.layers = [{generator}]\n{DISCRIMINATOR}").model


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


# A specification of each kind, and a shape of samples that suits it.
CASES = [
    (specs.Dense(5), (3,)),
    (specs.Dense(5, bias=False, deviation=0.1), (3,)),
    (specs.Conv(3), (8, 6, 2)),
    (specs.Conv(3, [3, 2, 1], [1, 2, 3], 0), (5, 6, 7, 2)),
    (specs.ConvTranspose(3, output_padding=[1, 0]), (4, 3, 2)),
    (specs.ConvTranspose(3, 25, 4, 11, output_padding=1), (16, 2)),
    (specs.BatchNorm(), (4, 3)),
    (specs.LayerNorm(2), (4, 3, 2)),
    (specs.ReLU(), (4, 3)),
    (specs.LeakyReLU(0.1), (4, 3)),
    (specs.Tanh(), (4, 3)),
    (specs.Sigmoid(), (4, 3)),
    (specs.ELU(), (4, 3)),
    (specs.Softplus(), (4, 3)),
    (specs.Identity(), (4, 3)),
    (specs.Reshape([2, 6]), (4, 3)),
    (specs.Flatten(), (4, 3)),
    (specs.Upsample([2, 3]), (4, 3, 2)),
    (specs.Dropout(0.2), (4, 3)),
    (specs.GRU(5), (4, 3)),
    (specs.LSTM(5), (4, 3)),
]


def test_every_kind_is_a_case():
    assert {type(spec) for spec, _ in CASES} == set(LAYERS.values())
    assert all(LAYERS[spec.kind] is type(spec) for spec, _ in CASES)


@pytest.mark.parametrize("spec, shape", CASES, ids=str)
def test_outputs_have_the_shape_that_is_said(random, spec, shape):
    layer, made = spec.build("layer", shape, 1.0)
    theta = Vector(Layout(layer.parameters(), layer.buffers()))
    layer.initialize(theta, random)
    x = random.random((2, *shape), dtype=np.float32)
    assert layer.forward(theta, x, Train(random=random))[0].shape == (2, *made)


@pytest.mark.parametrize("spec, shape", [case for case in CASES if case[0].absorbs], ids=str)
def test_a_layer_that_absorbs_a_rectifier_applies_it(random, spec, shape):
    """With slope 0 no output is below 0, and those above are as they were."""
    outputs = []
    for slope in (1.0, 0.0):
        layer, _ = spec.build("layer", shape, slope)
        theta = Vector(Layout(layer.parameters(), layer.buffers()))
        layer.initialize(theta, np.random.default_rng(1))
        x = np.random.default_rng(2).standard_normal((4, *shape), dtype=np.float32)
        outputs.append(layer.forward(theta, x)[0])
    assert outputs[0].min() < 0 and np.array_equal(np.maximum(outputs[0], 0), outputs[1])


@pytest.mark.parametrize(
    "spec, shape, inputs",
    [(specs.Dense(64), (100,), 100), (specs.Conv(16), (8, 8, 20), 320), (specs.Conv(16, 2), (8, 30), 60)],
    ids=str,
)
def test_the_deviation_that_weights_start_with(random, spec, shape, inputs):
    for deviation, expected in ((0.5, 0.5), (0.0, (3 * inputs) ** -0.5)):
        layer, _ = type(spec)(**{**vars(spec), "deviation": deviation}).build("layer", shape, 1.0)
        theta = Vector(Layout(layer.parameters()))
        layer.initialize(theta, random)
        assert theta["layer/weight"].std() == pytest.approx(expected, rel=0.1)
        assert theta["layer/bias"].any() == (deviation == 0)
