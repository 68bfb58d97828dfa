"""Chains built from specifications: names, shapes that must fit, and what is made of several together."""

import numpy as np
import pytest

from hpcgen.errors import InputError
from hpcgen.models.networks.building import build
from hpcgen.models.networks.specs import (
    GRU,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Identity,
    LayerNorm,
    LeakyReLU,
    ReLU,
    Reshape,
    Tanh,
)
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.nn.vector import Layout, Vector


def chain(specs, start, end, **options):
    return build(specs, start, end, "model.layers", **options)


@pytest.mark.parametrize(
    "specs, message",
    [
        ([], "^model.layers: the output has shape 100, but must have 8 x 8$"),
        ([Dense(64)], "^model.layers: the output has shape 64, but must have 8 x 8$"),
        (
            [Reshape([9, 9])],
            r"^model.layers\[0\] \(reshape\) gets samples of 100: cannot be reshaped to 9 x 9$",
        ),
        ([Conv(3)], r"\(conv\) gets samples of 100: needs samples with one to three spatial axes"),
        ([Reshape([10, 10]), Dense(2)], r"layers\[1\] \(dense\) gets samples of 10 x 10: .* put a flatten"),
        ([Reshape([5, 5, 4]), Conv(2, kernel=[4])], r"\[4\] must be one number, or 2"),
        ([Reshape([5, 5, 4]), Conv(2, kernel=9)], "kernel of 9 x 9 does not fit into 7"),
        (
            [Reshape([5, 5, 4]), ConvTranspose(2, output_padding=2)],
            "output_padding must be less than the stride",
        ),
        ([Reshape([])], "cannot be reshaped to samples without an axis"),
        ([LayerNorm(2)], "axes = 2, but the samples have fewer axes"),
        ([GRU(2)], "needs samples with two axes, time and features"),
    ],
)
def test_shapes_that_do_not_fit_are_named_with_their_layer(specs, message):
    with pytest.raises(InputError, match=message):
        chain(specs, (100,), (8, 8))


def test_parameters_are_named_by_their_kind_and_number():
    specs = [Dense(6), Tanh(), Reshape([3, 2]), GRU(4), Flatten(), Dense(5, bias=False), BatchNorm()]
    names = list(chain(specs, (3,), (5,), prefix="encoder/").parameters())
    recurrent = ("input", "recurrent", "input_bias", "recurrent_bias")
    assert names == [
        "encoder/dense1/weight",
        "encoder/dense1/bias",
        *(f"encoder/gru1/{part}" for part in recurrent),
        "encoder/dense2/weight",
        "encoder/batch_norm1/gamma",
        "encoder/batch_norm1/beta",
    ]


@pytest.mark.parametrize("rectifier", [ReLU(), LeakyReLU(0.1)], ids=["ReLU", "LeakyReLU"])
@pytest.mark.parametrize(
    "specs, shape", [([Dense(64)], (64,)), ([Dense(64), BatchNorm()], (64,)), ([Conv(3, 3, 1)], (8, 3))]
)
def test_a_rectifier_is_part_of_the_layer_before_it(random, specs, shape, rectifier):
    both, apart = (chain([*specs, *middle, rectifier], shape, shape) for middle in ([], [Identity()]))
    assert len(both.layers) == len(specs) and len(apart.layers) == len(specs) + 2
    theta = Vector(Layout(both.parameters(), both.buffers()))
    both.initialize(theta, random)
    x = random.standard_normal((5, *shape), dtype=np.float32)
    assert both.forward(theta, x)[0].tobytes() == apart.forward(theta, x)[0].tobytes()


def test_a_rectifier_after_another_layer_is_a_layer():
    """After the rectifier of a dense layer, for example, or after a norm that absorbs none."""
    assert len(chain([LayerNorm(), ReLU()], (4,), (4,)).layers) == 2
    assert len(chain([ReLU()], (4,), (4,)).layers) == 1
    assert len(chain([Dense(4), ReLU(), LeakyReLU()], (4,), (4,)).layers) == 2


def test_spectral_norms_are_of_weights_alone():
    specs = [Conv(3, 3, 1), BatchNorm(), ReLU(), Flatten(), Dense(1)]
    made = chain(specs, (6, 2), (1,), spectral=True)
    assert [isinstance(layer, SpectralNorm) for layer in made.layers] == [True, False, False, True]
    assert list(made.buffers()) == [
        "conv1/weight_u", "batch_norm1/mean", "batch_norm1/variance", "dense1/weight_u"
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"layers\[0\] \(gru\): model.spectral_norm applies to dense and"):
        chain([GRU(2)], (6, 2), (6, 2), spectral=True)
