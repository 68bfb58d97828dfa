"""Compare Conv and ConvTranspose with their definitions, and their forms of computation with each other."""

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hpcgen.nn.check import check_layer
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.windows import Windows
from hpcgen.nn.convolution.winograd import Winograd
from hpcgen.nn.layers import convolution
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.vector import Vector

EACH = pytest.mark.parametrize("kind", [Conv, ConvTranspose])
FORMS = {"windows": Windows, "F(2, 2)": partial(Winograd, tile=2), "F(4, 2)": partial(Winograd, tile=4)}
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SPATIAL = pytest.mark.parametrize("spatial", [1, 2, 3])
SLOPES = st.sampled_from([1.0, 0.0, 0.2])
FEW = st.integers(1, 3)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


def halving(spatial, padding=1):
    return Geometry((4,) * spatial, (2,) * spatial, (padding,) * spatial)


def made(kind, geometry, sizes, channels, outputs, **options):
    """Return Conv, or the ConvTranspose that is its adjoint, and the shape of a sample of its x; Conv takes
    `sizes`."""
    if kind is Conv:
        return Conv("layer", geometry, channels, outputs, **options), (*sizes, channels)
    spare = [size + 2 * p - k for size, k, p in zip(sizes, geometry.kernel, geometry.padding)]
    output_padding = tuple(room % s for room, s in zip(spare, geometry.stride))
    positions = (room // s + 1 for room, s in zip(spare, geometry.stride))
    return ConvTranspose("layer", geometry, outputs, channels, output_padding, **options), (
        *positions,
        outputs,
    )


def drawn(kind, data, windows, **limits):
    """Return a layer and the shape of its x."""
    geometry, sizes = data.draw(windows(**limits))
    n, channels, outputs = data.draw(st.tuples(FEW, FEW, FEW))
    options = {"bias": data.draw(st.booleans()), "slope": data.draw(SLOPES)}
    layer, shape = made(kind, geometry, sizes, channels, outputs, **options)
    return layer, (n, *shape)


def results(layer, theta, x):
    """Return y, dx and the derivatives in the parameters, for a dy that is the same for the same shape of
    y."""
    y, backward = layer.forward(theta, x)
    grad = Vector(theta.layout, np.full_like(theta.data, np.nan))
    dy = np.random.default_rng(y.size).standard_normal(y.shape).astype(y.dtype)
    dx = backward(dy, grad)
    return {"y": y, "dx": dx, **{name: grad[name] for name in grad}}


def assert_close(actual, expected, tolerance):
    for name in expected:
        assert actual[name].shape == expected[name].shape and actual[name].dtype == expected[name].dtype
        assert np.abs(actual[name] - expected[name]).max() <= tolerance * np.abs(expected[name]).max(), name


def finished(y, layer, theta, slope):
    y = y + theta[layer.bias] if layer.bias else y
    return np.where(y > 0, y, slope * y)


def defined_convolution(layer, theta, x, slope):
    g, weight = layer.geometry, theta[layer.weight]
    around = [(0, 0), *((p, p) for p in g.padding), (0, 0)]
    padded = np.pad(x, around)
    firsts = [range(0, size - k + 1, s) for size, k, s in zip(padded.shape[1:-1], g.kernel, g.stride)]
    y = np.zeros((len(x), *map(len, firsts), weight.shape[-1]))
    for n, *i in np.ndindex(y.shape[:-1]):
        for k in np.ndindex(g.kernel):
            y[(n, *i)] += padded[(n, *(first[j] + m for first, j, m in zip(firsts, i, k)))] @ weight[k]
    return finished(y, layer, theta, slope)


def defined_transposed_convolution(layer, theta, x, slope):
    g, weight = layer.geometry, theta[layer.weight]
    wide = [
        (i - 1) * s + k + e for i, s, k, e in zip(x.shape[1:-1], g.stride, g.kernel, layer.output_padding)
    ]
    y = np.zeros((len(x), *wide, weight.shape[-2]))
    for n, *i in np.ndindex(x.shape[:-1]):
        for k in np.ndindex(g.kernel):
            y[(n, *(j * s + m for j, s, m in zip(i, g.stride, k)))] += weight[k] @ x[(n, *i)]
    return finished(
        y[(slice(None), *(slice(p, size - p) for p, size in zip(g.padding, wide)))], layer, theta, slope
    )


DEFINITIONS = {Conv: defined_convolution, ConvTranspose: defined_transposed_convolution}


class Spy:
    """Stands for a form, and counts the chunks that it is asked for."""

    def __init__(self, form):
        self.form, self.calls = form, 0

    def __getattr__(self, name):
        return getattr(self.form, name)

    def data(self, x):
        self.calls += 1
        return self.form.data(x)


@EACH
@SPATIAL
@settings(max_examples=40)
@given(data=st.data(), random=...)
def test_derivatives(windows, filled, kind, spatial, data, random: np.random.Generator):
    layer, shape = drawn(kind, data, windows, spatial=spatial, kernel=3, size=4)
    theta, x = filled(layer, random), random.standard_normal(shape)
    before = DEFINITIONS[kind](layer, theta, x, slope=1.0)
    # No kink within a difference's step. A zero is a place that no x reaches and no bias: it stays one.
    assume(np.abs(before[before != 0]).min(initial=1) > 1e-4)
    errors = check_layer(layer, theta, x, random)
    assert set(errors) == {"x", "layer/weight"} | ({"layer/bias"} if layer.bias else set())
    assert max(errors.values()) < 1e-7


@EACH
@SPATIAL
@settings(max_examples=40)
@given(data=st.data(), random=...)
def test_definition(windows, filled, kind, spatial, data, random: np.random.Generator):
    layer, shape = drawn(kind, data, windows, spatial=spatial, size=5)
    theta, x = filled(layer, random), random.standard_normal(shape)
    assert_close(
        {"y": layer.forward(theta, x)[0]}, {"y": DEFINITIONS[kind](layer, theta, x, layer.slope)}, 1e-12
    )


@EACH
@pytest.mark.parametrize(
    "kernel, stride, sizes", [((1, 1), (1, 1), (3, 4)), ((3, 4), (1, 1), (3, 4)), ((3, 4), (2, 3), (3, 4))]
)
def test_windows_that_are_x_itself(random, filled, kind, kernel, stride, sizes):
    layer, shape = made(kind, Geometry(kernel, stride, (0, 0)), sizes, 3, 2, slope=0.2)
    theta, x = filled(layer, random), random.standard_normal((5, *shape))
    assert_close(
        {"y": layer.forward(theta, x)[0]}, {"y": DEFINITIONS[kind](layer, theta, x, layer.slope)}, 1e-12
    )
    assert max(check_layer(layer, theta, x, random).values()) < 1e-7


@SPATIAL
@settings(max_examples=40)
@given(data=st.data(), random=...)
def test_each_is_the_adjoint_of_the_other(windows, filled, spatial, data, random: np.random.Generator):
    geometry, sizes = data.draw(windows(spatial=spatial))
    n, channels, outputs = data.draw(st.tuples(FEW, FEW, FEW))
    (conv, forth), (transposed, back) = (
        made(kind, geometry, sizes, channels, outputs, bias=False) for kind in (Conv, ConvTranspose)
    )
    assert conv.parameters() == transposed.parameters()
    theta, x, v = (
        filled(conv, random),
        random.standard_normal((n, *forth)),
        random.standard_normal((n, *back)),
    )
    y, there = conv.forward(theta, x)
    u, here = transposed.forward(theta, v)
    assert y.shape == v.shape and u.shape == x.shape
    assert np.vdot(y, v) == pytest.approx(np.vdot(x, u), rel=1e-12, abs=1e-10)
    assert_close({"y": u, "dx": here(x.copy())}, {"y": there(v.copy()), "dx": y}, 1e-12)


@EACH
@DTYPES
@SPATIAL
@settings(max_examples=10)
@given(data=st.data(), random=...)
def test_forms_give_the_same(filled, kind, dtype, spatial, data, random: np.random.Generator):
    if spatial == 3 and dtype == np.float32:
        # F(4, 2) rounds too much to be used there.
        forms = [FORMS["windows"], FORMS["F(2, 2)"]]
    else:
        forms = FORMS.values()
    padding = data.draw(st.integers(0, 1))
    geometry = halving(spatial, padding)
    sizes = data.draw(st.tuples(*[st.integers(4 - 2 * padding, 9)] * spatial))
    n, channels, outputs = data.draw(st.tuples(FEW, st.integers(1, 20), st.integers(1, 20)))
    layer, shape = made(kind, geometry, sizes, channels, outputs, slope=1.0)
    theta, x = filled(layer, random, dtype), random.standard_normal((n, *shape)).astype(dtype)
    given = []
    for form in forms:
        layer.forms = [form(geometry, channels, outputs)]
        given.append(results(layer, theta, x))
        assert_close(given[-1], given[0], TOLERANCE[dtype])


@EACH
@pytest.mark.parametrize("form", FORMS)
@DTYPES
@SPATIAL
def test_chunks_change_only_the_rounding(random, filled, monkeypatch, kind, form, dtype, spatial):
    layer, shape = made(kind, halving(spatial), (9, 8, 7)[:spatial], 2, 3, slope=1.0)
    spy = Spy(FORMS[form](layer.geometry, 2, 3))
    layer.forms = [spy]
    theta, x = filled(layer, random, dtype), random.standard_normal((50, *shape)).astype(dtype)
    whole = results(layer, theta, x)
    monkeypatch.setattr(convolution, "CHUNK_BYTES", 1)
    spy.calls = 0
    assert_close(results(layer, theta, x), whole, TOLERANCE[dtype])
    assert spy.calls >= 6


@EACH
@pytest.mark.parametrize(
    "geometry, positions, channels, outputs, tile",
    [
        (halving(2), 7, 64, 128, 4),
        (halving(2), 4, 128, 256, 4),
        (halving(2), 8, 256, 512, 2),
        (halving(2), 6, 64, 128, 2),
        (halving(2), 2, 64, 128, 2),
        (halving(2), 1, 64, 128, None),
        (halving(3), 4, 64, 64, 2),
        (halving(2), 4, 1, 64, None),
        (halving(3), 4, 64, 1, None),
        (halving(1), 4, 64, 64, None),
        (Geometry((4, 4), (2, 2), (0, 1)), 4, 64, 64, 4),
        (Geometry((4, 4), (2, 2), (2, 1)), 4, 64, 64, None),
        (Geometry((4, 4), (1, 1), (1, 1)), 4, 64, 64, None),
        (Geometry((4, 3), (2, 2), (1, 1)), 4, 64, 64, None),
        (Geometry((5, 5), (2, 2), (2, 2)), 4, 64, 64, None),
    ],
)
def test_shapes_choose_the_form(kind, geometry, positions, channels, outputs, tile):
    layer, _ = made(kind, geometry, (8,) * len(geometry.kernel), channels, outputs)
    assert getattr(layer.form((positions,) * len(geometry.kernel)), "tile", None) == tile
