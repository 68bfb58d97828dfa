"""The variational autoencoder's gradient against differences, and what it learns."""

from contextlib import closing

import numpy as np
import pytest
from gradients import write_gradient

from hpcgen.config.reading import parse_config
from hpcgen.data.prepare import prepare
from hpcgen.data.rows import Rows
from hpcgen.data.schema import Schema
from hpcgen.data.sources import Source
from hpcgen.errors import InputError
from hpcgen.models.batch import Batch
from hpcgen.models.vae import VAE
from hpcgen.nn.check import numerical_gradient, relative_error
from hpcgen.nn.vector import Vector
from hpcgen.training.loop import Training


def made(text, shape, dtype=np.float64):
    """Return a VAE with the keys `text` under [model], and its theta."""
    options = parse_config(f'data.path = "d.h5"\n[model]\nkind = "vae"\nlatent = 3\n{text}').model
    model = VAE(options, Schema(shape, "float32", "array", -1.0, 1.0))
    theta = {"vae": Vector(model.layouts["vae"].state(), dtype=dtype)}
    model.initialize("vae", theta["vae"], np.random.default_rng(0))
    return model, theta


def run(model, theta, batch, noise):
    grad = Vector(model.layouts["vae"], dtype=batch.dtype)
    write_gradient(model, "vae", theta, Batch(len(batch), batch, noise), grad)
    return grad


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_gradient(random, likelihood, beta):
    text = (
        f"likelihood = '{likelihood}'\nbeta = {beta}\nencoder = {{ hidden = [5], activation = 'softplus' }}\n"
    )
    model, theta = made(text + "decoder = { hidden = [4], activation = 'softplus' }", (2, 3))
    batch, noise = random.random((4, 2, 3)), random.standard_normal((4, 3))
    grad, parameters = run(model, theta, batch, noise), model.layouts["vae"].parameters
    expected = numerical_gradient(lambda: float(run(model, theta, batch, noise)["loss"]), theta["vae"].data)
    assert relative_error(grad.data[parameters], expected[parameters]) < 1e-7
    assert grad["loss"] == pytest.approx(grad["reconstruction"] + beta * grad["kl"]) and grad["count"] == 4


def test_a_convolutional_gradient_along_directions(random):
    text = "network = 'conv-vae'\nencoder = { width = 3, activation = 'softplus' }\n"
    model, theta = made(text + "decoder = { width = 3, activation = 'softplus' }", (8, 8, 2))
    batch, noise, theta_vae = random.random((3, 8, 8, 2)), random.standard_normal((3, 3)), theta["vae"]
    grad, start, step = run(model, theta, batch, noise), theta_vae.data.copy(), 1e-5
    for _ in range(5):
        direction = random.standard_normal(start.size)
        losses = []
        for sign in (1, -1):
            theta_vae.data[...] = start + sign * step * direction
            losses.append(float(run(model, theta, batch, noise)["loss"]))
        slope = (losses[0] - losses[1]) / (2 * step)
        assert slope == pytest.approx(
            grad.data[model.layouts["vae"].parameters] @ direction, rel=1e-6, abs=1e-6
        )


def test_samples_lie_in_the_range():
    for text, low in (("", 0), ("likelihood = 'gaussian'", -1)):
        model, theta = made(text, (2, 3), np.float32)
        samples = model.sample(theta, Batch(5, noise=model.noise(np.random.default_rng(0), 5)))
        assert samples.shape == (5, 2, 3) and samples.dtype == np.float32 and model.units.range == (low, 1)


@pytest.mark.parametrize(
    "text, message", [("likelihood = 'poisson'", "one of bernoulli, gaussian"), ("beta = -1", "beta = -1")]
)
def test_bad_keys(text, message):
    with pytest.raises(InputError, match=message):
        made(text, (2, 3))


class Circles(Source):
    """Rings of random radius, 8 x 8."""

    rows, shape, kind, name = 400, (8, 8, 1), "image", "circles"

    def read(self, start, stop):
        radius = np.random.default_rng(0).uniform(1, 4, self.rows)[start:stop, None, None]
        place = np.hypot(*np.mgrid[-3.5:4, -3.5:4])
        return Rows((255 * np.exp(-((place - radius) ** 2)))[..., None].astype(np.uint8))


def test_it_learns(comm, folder):
    path = folder / "circles.h5"
    prepare(Circles, path, comm)
    text = f"""
        data.path = "{path}"
        model = {{ kind = "vae", latent = 4 }}
        train = {{ lanes = 4, lane_size = 16, steps = 150 }}
        optimizer = {{ name = "adam", learning_rate = 0.003, beta1 = 0.9 }}
        """
    losses = []
    with closing(Training(parse_config(text), comm)) as training:
        training.run([lambda training, statistics, last: losses.append(statistics["vae"]["loss"])])
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:3])
