"""Whole networks on cells: random chains, those of models, where they leave their places and come back."""

from math import prod
from unittest.mock import patch

import numpy as np
import pytest
from drawing import examples
from hypothesis import given
from hypothesis import strategies as st

from hpcgen.config.reading import parse_config
from hpcgen.data.schema import Columns, Schema
from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.models.networks import specs
from hpcgen.nn.chain import Chain
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layers.activations import Tanh
from hpcgen.nn.layers.affine import Affine
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.nn.layers.shaping import Reshape, Upsample
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.parallel.cells import Grid
from hpcgen.parallel.placement import network as placement
from hpcgen.parallel.placement.network import axes_of_places, divide, pays, place

FEW = st.integers(1, 3)
STARTS = [(6, 1), (9, 2), (5, 6, 1), (8, 8, 2), (3, 4, 5, 1), (4, 4, 4, 2), (5,)]
AFTER_DENSE = [(8, 2), (4, 5, 1), (3, 4, 2, 2)]
# By the number of spatial axes of the first samples.
GRIDS = {1: [(2,), (3,)], 2: [(2, 2), (1, 2), (3, 2), (2,)], 3: [(2, 2, 2), (1, 2, 3), (3, 2), (2,)]}


def of_places(draw, shape):
    """Draw the specification of a layer that takes places, or any samples."""
    axes = len(shape) - 1
    each = [draw(st.integers(1, 5)) for _ in range(axes)]
    strides, paddings = [draw(st.integers(1, 2)) for _ in each], [draw(st.integers(0, 2)) for _ in each]
    windows = {"channels": draw(FEW), "kernel": each, "stride": strides, "padding": paddings}
    return draw(
        st.sampled_from(
            [
                specs.Conv(**windows),
                specs.ConvTranspose(**windows, output_padding=[stride - 1 for stride in strides]),
                specs.Conv(windows["channels"], bias=False),
                specs.ConvTranspose(windows["channels"]),
                specs.Upsample([draw(FEW) for _ in each]),
                specs.LayerNorm(draw(st.integers(1, len(shape)))),
                specs.Reshape([*shape[:-1], 1, shape[-1]] if axes < 3 else [*shape[:-2], prod(shape[-2:])]),
                specs.Reshape([*shape[:-1][::-1], shape[-1]]),
                specs.Flatten(),
            ]
        )
    )


def of_anything(draw):
    return draw(
        st.sampled_from(
            [specs.BatchNorm(), specs.Tanh(), specs.ELU(), specs.Dropout(0.3), specs.LayerNorm(1)]
        )
    )


@st.composite
def chains(draw, most=600):
    """A chain of up to 7 layers: to places and away from them, to extents below those of cells and back."""
    shape = draw(st.sampled_from(STARTS))
    layers, shapes = [], [shape]
    for i in range(draw(st.integers(1, 7))):
        if len(shape) == 1:
            places = draw(
                st.sampled_from([places for places in AFTER_DENSE if prod(places) == shape[0]] or AFTER_DENSE)
            )
            spec = specs.Reshape(list(places)) if prod(places) == shape[0] else specs.Dense(prod(places))
        else:
            spec = of_anything(draw) if draw(st.integers(0, 2)) == 0 else of_places(draw, shape)
        slope = draw(st.sampled_from([1.0, 0.2])) if spec.absorbs else 1.0
        try:
            layer, made = spec.build(f"layer{i}", shape, slope)
        except ValueError:
            continue
        if prod(made) > most:
            continue
        layers.append(SpectralNorm(layer) if isinstance(layer, Affine) and draw(st.booleans()) else layer)
        shape = tuple(made)
        shapes.append(shape)
    return Chain(layers, shapes)


@examples(70)
@given(data=st.data(), random=..., network=chains(), n=FEW, parts=st.integers(1, 2))
def test_random_chains(comm, teams, check, passes, data, random: np.random.Generator, network, n, parts):
    grid = data.draw(st.sampled_from(GRIDS[max(1, len(network.shapes[0]) - 1)]))

    def divisible(shape):
        return len(shape) >= len(grid) and all(size >= cells for size, cells in zip(shape, grid))

    takes, makes = (
        divisible(shape) and data.draw(st.booleans()) for shape in (network.shapes[0], network.shapes[-1])
    )
    team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), random)
    # Where there are fewer places a cell, the cells share the channels.
    with patch.object(placement, "FEWEST_PLACES", data.draw(st.sampled_from([1, 4, 16]))):
        check(passes(network, n, random, parts=parts, takes=takes, makes=makes), team, 1e-8)


def kinds(chain):
    """Return what each layer of a placed chain is.

    On cells of places (c), on cells of channels (s), on whole samples (w), or a way to whole samples (>) and
    back (<).
    """
    signs = {"Gathering": ">", "Scattering": "<", "Replicated": "w", "SharedConvolution": "s"}
    layers = (layer.layer if isinstance(layer, SpectralNorm) else layer for layer in chain.layers)
    return "".join(signs.get(type(layer).__name__, "c") for layer in layers)


def hourglass(spatial=2, largest=16):
    """Return a chain from many places on each axis down to 1 and up again."""
    geometry = Geometry((4,) * spatial, (2,) * spatial, (1,) * spatial)
    sizes, layers = [size for size in (16, 8, 4, 2, 1) if size <= largest], []
    shapes = [(largest,) * spatial + (1,)]
    for i, size in enumerate(sizes[1:]):
        layers += [Conv(f"down{i}", geometry, 1 if i == 0 else 2, 2, slope=0.2)]
        shapes += [(size,) * spatial + (2,)]
    for i, size in enumerate(sizes[-2::-1]):
        layers += [
            ConvTranspose(f"up{i}", geometry, 2, 2, (0,) * spatial, slope=0.2),
            LayerNorm(f"norm{i}", (2,)),
        ]
        shapes += [(size,) * spatial + (2,)] * 2
    return Chain(layers, shapes)


@pytest.mark.parametrize(
    "grid, expected",
    [
        ((1, 1), "cccccccccccc"),
        ((2, 2), "cccss><ccccccc"),
        ((2,), "cccss><ccccccc"),
        ((3, 1), "ccsss>ws><ccccc"),
        ((4, 2), "ccsss>ws><ccccc"),
        ((5,), "cssss>ws>ws><ccc"),
    ],
)
def test_a_network_is_whole_where_its_extents_are_below_the_cells(
    comm, teams, check, passes, random, grid, expected
):
    for team in teams.each(grid, random):
        placed = place(hourglass(), team, True, True)
        assert kinds(placed) == expected
        check(passes(hourglass(), 2, random), team, 1e-9)


def test_places_are_divided_where_each_cell_has_enough(monkeypatch):
    monkeypatch.undo()
    fewest = placement.FEWEST_PLACES
    assert pays(Grid((2, 2)), (4, fewest)) and not pays(Grid((2, 2)), (4, fewest - 1))
    assert not pays(Grid((2, 2)), (1, 100 * fewest)) and not pays(Grid((2,)), ())
    assert pays(Grid((1,)), (fewest,)) and pays(Grid((4,)), (4, 2, fewest // 2))


@pytest.mark.parametrize(
    "fewest, expected", [(1, "cccss><ccccccc"), (4, "ccsss>ws><ccccc"), (16, "cssss>ws>ws><ccc")]
)
def test_where_places_are_few_cells_share_the_channels(
    comm, teams, check, passes, random, monkeypatch, fewest, expected
):
    monkeypatch.setattr(placement, "FEWEST_PLACES", fewest)
    for team in teams.each((2, 2), random):
        assert kinds(place(hourglass(), team, True, True)) == expected
        check(passes(hourglass(), 2, random), team, 1e-9)


def test_shapes_alone_decide_where_a_network_is_gathered(comm, teams, random):
    found = {
        kinds(place(hourglass(), team, True, True))
        for _ in range(3)
        for team in [*teams.each((2, 3), random), teams.alone((2, 3))]
    }
    assert len(set().union(*comm.allgather(found))) == 1


@pytest.mark.parametrize("spatial, grid", [(1, (2,)), (1, (3,)), (3, (2, 2, 2)), (3, (1, 2))])
def test_an_hourglass_of_other_axes(comm, teams, check, passes, random, spatial, grid):
    team = teams.of(grid, teams.most(grid), random)
    check(passes(hourglass(spatial, 8), 1, random), team, 1e-9)


ONE, TWO = Geometry((3,), (1,), (1,)), Geometry((3, 3), (1, 1), (1, 1))
PLACES = {
    "windows know": ([Conv("c", TWO, 1, 2)], [(4, 4, 1), (4, 4, 2)], [2, 2]),
    "others do not": ([Tanh()], [(4, 4, 1), (4, 4, 1)], [0, 0]),
    "those before are told": ([Tanh(), Conv("c", TWO, 1, 2)], [(4, 4, 1), (4, 4, 1), (4, 4, 2)], [2, 2, 2]),
    "those after are told": (
        [Upsample((2,)), BatchNorm("n", 3), LayerNorm("l", (3,))],
        [(4, 3), (8, 3), (8, 3), (8, 3)],
        [1, 1, 1, 1],
    ),
    "a reshape adds the channels": (
        [Reshape((4, 5, 1)), Conv("c", TWO, 1, 2)],
        [(4, 5), (4, 5, 1), (4, 5, 2)],
        [2, 2, 2],
    ),
    "a reshape to other places does not": (
        [Reshape((5, 4, 1)), Conv("c", TWO, 1, 2)],
        [(4, 5), (5, 4, 1), (5, 4, 2)],
        [0, 2, 2],
    ),
    "a reshape that moves places to channels does not": (
        [Conv("c", TWO, 1, 2), Reshape((4, 8))],
        [(4, 4, 1), (4, 4, 2), (4, 8)],
        [2, 2, 0],
    ),
    "a dense layer ends them": (
        [Conv("c", TWO, 1, 2), Reshape((32,)), Dense("d", 32, 16), Reshape((4, 4, 1)), Tanh()],
        [(4, 4, 1), (4, 4, 2), (32,), (16,), (4, 4, 1), (4, 4, 1)],
        [2, 2, 0, 0, 0, 0],
    ),
    "there are two kinds of places": (
        [Conv("c", TWO, 1, 2), Reshape((16, 2)), Tanh(), SpectralNorm(Conv("d", ONE, 2, 2)), Tanh()],
        [(4, 4, 1), (4, 4, 2), (16, 2), (16, 2), (16, 2), (16, 2)],
        [2, 2, 1, 1, 1, 1],
    ),
    "nothing": ([], [(4, 4, 1)], [0]),
}


@pytest.mark.parametrize("layers, shapes, expected", PLACES.values(), ids=PLACES)
def test_axes_of_places(layers, shapes, expected):
    assert axes_of_places(Chain(layers, shapes)) == expected


IMAGE = Schema((16, 16, 1), "float32", "image", -1.0, 1.0, classes=3)
PLANE = Schema((16, 16), "float32", "image", -1.0, 1.0, classes=3)
WAVE = Schema((64,), "float32", "array", -1.0, 1.0)
STEREO = Schema((64, 2), "float32", "array", -1.0, 1.0)
VOLUME = Schema((8, 8, 8), "float32", "array", -1.0, 1.0)
TEXT = Schema((6,), "uint8", "text", 0.0, 3.0, vocabulary="abcd")
COLUMNS = Schema(
    (2,),
    "float32",
    "array",
    -1.0,
    1.0,
    inputs=Columns((1.0,), (1.0,)),
    outputs=Columns((0.0, 1.0), (1.0, 2.0)),
)


def model_of(keys, schema):
    options = parse_config(f'data.path = "x"\n[model]\n{keys}').model
    return MODELS[options.kind](options, schema)


NARROW = "generator = { width = 2 }\ndiscriminator = { width = 2 }"
DIVIDED = {
    "dcgan28": (f"network = 'dcgan28'\n{NARROW}", IMAGE, (2, 2)),
    "dcgan64": (f"network = 'dcgan64'\n{NARROW}", PLANE, (3, 2)),
    "dcgan3d": (f"network = 'dcgan3d'\n{NARROW}", VOLUME, (2, 1, 2)),
    "wavegan": (f"network = 'wavegan'\n{NARROW}", WAVE, (3,)),
    "stereo": (f"network = 'wavegan'\n{NARROW}", STEREO, (4,)),
    "conv-vae": (
        "kind = 'vae'\nnetwork = 'conv-vae'\nencoder = { width = 2 }\ndecoder = { width = 2 }",
        IMAGE,
        (4,),
    ),
    "classifier": (
        "kind = 'classifier'\nnetwork = 'convolutional'\nclassifier = { width = 2 }",
        IMAGE,
        (2, 2),
    ),
}


@pytest.mark.parametrize("keys, schema, grid", DIVIDED.values(), ids=DIVIDED)
def test_networks_of_models(comm, teams, check, passes, random, keys, schema, grid):
    team = teams.of(grid, teams.most(grid), random)
    model = model_of(keys, schema)
    networks = dict(model.networks)
    divide(model, team)
    for name, (takes, makes) in model.at_samples.items():
        shown = kinds(model.networks[name])
        assert shown.startswith("c") == takes and shown.endswith("c") == makes and shown.count("c") > 1
        check(passes(networks[name], 2, random, takes=takes, makes=makes), team, 1e-9)


@pytest.mark.parametrize("keys, schema", [value[:2] for value in DIVIDED.values()], ids=DIVIDED)
def test_a_divided_model_has_the_parameters_of_the_model(teams, keys, schema):
    model, divided = model_of(keys, schema), model_of(keys, schema)
    divide(divided, teams.alone((2,)))
    for player in model.players:
        assert divided.layouts[player].shapes == model.layouts[player].shapes
        assert divided.layouts[player].offsets == model.layouts[player].offsets


REFUSED = {
    "perceptrons": (
        "network = 'mlpgan'",
        IMAGE,
        (2,),
        "the model has no layers with spatial axes, such as conv; leave train.cells out",
    ),
    "a perceptron vae": ("kind = 'vae'", IMAGE, (2, 2), "has no layers with spatial axes"),
    "a perceptron classifier": ("kind = 'classifier'", IMAGE, (1,), "has no layers with spatial axes"),
    "text": ("kind = 'rvae'\nnetwork = 'text'", TEXT, (2,), "has no layers with spatial axes"),
    "sequences": ("kind = 'rvae'\nnetwork = 'sequence'", STEREO, (2,), "has no layers with spatial axes"),
    "a linear model": ("kind = 'linear'", COLUMNS, (2,), "has no layers with spatial axes"),
    "a regressor": ("kind = 'regressor'", COLUMNS, (2,), "has no layers with spatial axes"),
    "three axes of images": (
        f"network = 'dcgan64'\n{NARROW}",
        IMAGE,
        (2, 2, 1),
        "train.cells has 3 numbers, but the number of spatial axes is 2; give at most 2",
    ),
    "the channels": (
        f"network = 'wavegan'\n{NARROW}",
        STEREO,
        (2, 2),
        "has 2 numbers, but the number of spatial axes is 1; give at most 1",
    ),
}


@pytest.mark.parametrize("keys, schema, grid, message", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_divided_is_refused(teams, keys, schema, grid, message):
    with pytest.raises(InputError, match=message) as error:
        divide(model_of(keys, schema), teams.alone(grid))
    assert str(error.value).startswith("train.cells")
