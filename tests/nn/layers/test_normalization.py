import numpy as np
import pytest

from hpcgen.nn.check import check_layer, check_tangent
from hpcgen.nn.layer import Train
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.nn.vector import Vector

SHAPES = pytest.mark.parametrize("shape", [(6, 3), (4, 5, 1), (2, 3, 4, 2), (2, 2, 3, 2, 3)], ids=str)
SLOPES = pytest.mark.parametrize("slope", [1.0, 0.0, 0.2])


def moments(values):
    """Return the mean, and the variance over n."""
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / len(values)


def gradients(layer, theta, x, dy, **train):
    """Return y, dx and the Vector of derivatives."""
    y, backward = layer.forward(theta, x, Train(**train))
    grad = Vector(theta.layout, dtype=theta.data.dtype)
    return y, backward(dy.copy(), grad), grad


@SHAPES
@SLOPES
@pytest.mark.parametrize("parts", [1, 2])
def test_derivatives_of_batch_norm(random, filled, shape, slope, parts):
    layer = BatchNorm("norm", shape[-1], slope)
    errors = check_layer(layer, filled(layer, random), random.standard_normal(shape), random, Train(parts))
    assert set(errors) == {"x", "norm/gamma", "norm/beta"}
    assert max(errors.values()) < 1e-7


@SHAPES
@SLOPES
def test_definition_of_batch_norm(random, filled, shape, slope):
    layer = BatchNorm("norm", shape[-1], slope)
    theta, x = filled(layer, random), random.standard_normal(shape) * 3 + 1
    y, _ = layer.forward(theta, x)
    for c in range(shape[-1]):
        mean, variance = moments(x[..., c].reshape(-1).tolist())
        for place in np.ndindex(shape[:-1]):
            t = (
                theta["norm/gamma"][c] * (x[(*place, c)] - mean) / (variance + 1e-5) ** 0.5
                + theta["norm/beta"][c]
            )
            assert y[(*place, c)] == pytest.approx(t if t > 0 else slope * t, rel=1e-10, abs=1e-12)


@SHAPES
@SLOPES
def test_inference_uses_the_running_statistics(random, filled, shape, slope):
    layer = BatchNorm("norm", shape[-1], slope)
    theta, x = filled(layer, random), random.standard_normal(shape)
    y, _ = layer.forward(theta, x, None)
    gamma, beta, mean, variance = (theta[f"norm/{part}"] for part in ("gamma", "beta", "mean", "variance"))
    for *place, c in np.ndindex(shape):
        t = gamma[c] * (x[(*place, c)] - mean[c]) / (variance[c] + 1e-5) ** 0.5 + beta[c]
        assert y[(*place, c)] == pytest.approx(t if t > 0 else slope * t, rel=1e-10, abs=1e-12)


@SHAPES
@pytest.mark.parametrize("parts", [1, 2])
def test_statistics_are_handed_on_times_the_samples_of_a_part(random, filled, shape, parts):
    layer = BatchNorm("norm", shape[-1])
    x = random.standard_normal(shape) * 2 + 1
    _, _, grad = gradients(layer, filled(layer, random), x, x, parts=parts)
    for c in range(shape[-1]):
        means, variances = zip(*(moments(part[..., c].reshape(-1).tolist()) for part in np.split(x, parts)))
        m = x[..., c].size / parts
        assert grad["norm/mean"][c] == pytest.approx(shape[0] / parts * np.mean(means))
        assert grad["norm/variance"][c] == pytest.approx(shape[0] / parts * np.mean(variances) * m / (m - 1))


@SHAPES
@SLOPES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_parts_are_two_passes(random, filled, shape, slope, dtype):
    layer = BatchNorm("norm", shape[-1], slope)
    theta = filled(layer, random, dtype)
    x, dy = (random.standard_normal(shape).astype(dtype) for _ in range(2))
    y, dx, grad = gradients(layer, theta, x, dy, parts=2)
    passes = [gradients(layer, theta, *halves) for halves in zip(np.split(x, 2), np.split(dy, 2))]
    assert y.tobytes() == b"".join(one.tobytes() for one, _, _ in passes)
    assert dx.tobytes() == b"".join(one.tobytes() for _, one, _ in passes)
    parameters, buffers = grad.layout.parameters, grad.layout.buffers
    total = sum(one.data for _, _, one in passes)
    assert grad.data[parameters] == pytest.approx(total[parameters], rel=1e-6)
    assert grad.data[buffers] == pytest.approx(total[buffers] / 2, rel=1e-6)


def test_a_mean_far_from_zero_keeps_its_variance(random, filled):
    layer = BatchNorm("norm", 1)
    theta = filled(layer, random, np.float32)
    x = random.standard_normal((2000, 1)) + 1000
    exact = theta["norm/gamma"] * (x - x.mean()) / x.std() + theta["norm/beta"]
    y, _, grad = gradients(layer, theta, x.astype(np.float32), np.ones((2000, 1), np.float32))
    assert np.abs(y - exact).max() < 1e-3
    assert grad["norm/variance"] / 2000 == pytest.approx(x.var(ddof=1), rel=1e-3)


def test_one_number_a_channel_becomes_beta(random, filled):
    layer = BatchNorm("norm", 3)
    theta = filled(layer, random)
    y, dx, grad = gradients(layer, theta, random.standard_normal((1, 3)), np.ones((1, 3)))
    assert y[0] == pytest.approx(theta["norm/beta"])
    assert dx == pytest.approx(0) and np.isfinite(grad.data).all()


@pytest.mark.parametrize(
    "shape, axes", [((6, 3), 1), ((2, 5, 3), 1), ((2, 5, 3), 2), ((2, 3, 4, 2), 1), ((2, 3, 4, 2), 3)]
)
class TestLayerNorm:
    def test_derivatives(self, random, filled, shape, axes):
        layer = LayerNorm("norm", shape[-axes:])
        errors = check_layer(layer, filled(layer, random), random.standard_normal(shape), random)
        assert set(errors) == {"x", "norm/gamma", "norm/beta"}
        assert max(errors.values()) < 1e-8

    def test_definition(self, random, filled, shape, axes):
        layer = LayerNorm("norm", shape[-axes:])
        theta, x = filled(layer, random), random.standard_normal(shape) * 3 + 1
        y, _ = layer.forward(theta, x)
        for row in np.ndindex(shape[:-axes]):
            mean, variance = moments(x[row].reshape(-1).tolist())
            for place in np.ndindex(shape[-axes:]):
                normal = (x[row][place] - mean) / (variance + 1e-5) ** 0.5
                assert y[row][place] == pytest.approx(
                    theta["norm/gamma"][place] * normal + theta["norm/beta"][place]
                )

    def test_inference_is_training(self, random, filled, shape, axes):
        layer = LayerNorm("norm", shape[-axes:])
        theta, x = filled(layer, random), random.standard_normal(shape)
        assert np.array_equal(layer.forward(theta, x, None)[0], layer.forward(theta, x)[0])


@pytest.mark.parametrize(
    "shape, axes", [((6, 3), 1), ((2, 5, 3), 1), ((2, 5, 3), 2), ((2, 3, 4, 2), 1), ((2, 3, 2, 2), 3)]
)
def test_tangents_of_layer_norm(random, filled, shape, axes):
    layer = LayerNorm("norm", shape[-axes:])
    errors = check_tangent(layer, filled(layer, random), random.standard_normal(shape) * 2 + 1, random)
    assert set(errors) == {"ty", "x", *layer.parameters()} and max(errors.values()) < 1e-7
