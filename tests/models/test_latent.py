"""The posterior of latent numbers, and the bounds of the likelihood that it gives."""

import numpy as np
import pytest
from gradients import initialized

from hpcgen.data.schema import Schema
from hpcgen.models.batch import Batch
from hpcgen.models.latent import LatentOptions, Posterior
from hpcgen.models.networks.architectures import Perceptron
from hpcgen.models.vae import VAE, VAEOptions
from hpcgen.nn.check import numerical_gradient, relative_error


def posterior(latent=3, **options):
    return Posterior(LatentOptions(latent=latent, **options))


def test_the_divergence_is_that_of_two_normal_distributions(random):
    """KL(N(m, s^2) || N(0, 1)) by numerical integration."""
    mean, log_variance = random.standard_normal((2, 3))
    z = np.linspace(-30, 30, 20_001)
    log_q = -0.5 * (
        log_variance[:, None] + (z - mean[:, None]) ** 2 / np.exp(log_variance[:, None]) + np.log(2 * np.pi)
    )
    log_p = -0.5 * (z * z + np.log(2 * np.pi))
    expected = (np.exp(log_q) * (log_q - log_p)).sum(1) * (z[1] - z[0])
    assert Posterior.divergence(mean, log_variance) == pytest.approx(expected)


def test_the_weight_of_the_divergence_grows_to_beta():
    assert [posterior(beta=0.5, kl_warmup=7).beta(step) for step in (0, 6, 700)] == pytest.approx(
        [0.5 / 7, 0.5, 0.5]
    )
    assert posterior(beta=0.5).beta(0) == 0.5


def test_what_lies_below_the_free_bits_counts_as_so_much():
    codes = np.zeros((4, 6))
    codes[:, 0] = 3.0
    _, kl, weighed, backward = posterior(free_bits=0.25).draw(codes, np.zeros((4, 3)), 0)
    assert kl == pytest.approx(4 * 4.5) and weighed == pytest.approx(4 * (4.5 + 0.25 + 0.25))
    dcodes = backward(np.zeros((4, 3)))
    assert dcodes[:, 0] == pytest.approx(3.0) and not dcodes[:, 1:3].any() and not dcodes[:, 4:].any()


@pytest.mark.parametrize("options", [{}, {"beta": 0.3, "kl_warmup": 9}, {"free_bits": 0.7, "beta": 2.0}])
def test_a_draw_and_its_derivative(random, options):
    """z = mean + deviation noise; the loss is <z, dz> and the weighed divergence."""
    codes, noise, dz = random.standard_normal((5, 6)), *random.standard_normal((2, 5, 3))
    drawn = posterior(**options)
    mean, log_variance = drawn.split(codes)
    z, kl, _, backward = drawn.draw(codes, noise, 4)
    assert z == pytest.approx(mean + np.sqrt(np.exp(log_variance)) * noise, rel=1e-12)
    assert kl == pytest.approx(drawn.divergence(mean, log_variance).sum(), rel=1e-12)

    def loss():
        z, _, weighed, _ = drawn.draw(codes, noise, 4)
        return np.vdot(z, dz) + weighed

    assert relative_error(backward(dz.copy()), numerical_gradient(loss, codes)) < 1e-8


def autoencoder(random, **options):
    """Return a linear Gaussian autoencoder of four numbers, and its theta."""
    networks = {"encoder": Perceptron(), "decoder": Perceptron()}
    made = VAEOptions(latent=3, likelihood="gaussian", sigma=1.5, **networks, **options)
    model = VAE(made, Schema((4,), "float32", "array", -1.0, 1.0))
    theta = initialized(model, random)
    theta["vae"].data[...] = 0.3 * random.standard_normal(theta["vae"].data.shape)
    return model, theta


def test_codes_are_what_the_encoder_makes(random):
    model, theta = autoencoder(random)
    x = random.standard_normal((20, 4))
    expected = x @ theta["vae"]["encoder/dense1/weight"] + theta["vae"]["encoder/dense1/bias"]
    assert np.hstack(model.codes(theta, x)) == pytest.approx(expected, rel=1e-12)


def test_one_draw_gives_the_bound_of_the_objective(random):
    model, theta = autoencoder(random, beta=0.3)
    x, noise = random.standard_normal((20, 4)), random.standard_normal((20, 3))
    statistics, _ = model.objective("vae", theta, Batch(20, x, noise))
    elbo, _ = model.bounds(theta, x, [noise])
    assert statistics["elbo"] == pytest.approx(elbo.sum(), rel=1e-12)
    assert statistics["elbo"] == pytest.approx(-statistics["reconstruction"] - statistics["kl"], rel=1e-12)


def test_the_bounds_of_a_model_with_a_known_likelihood(random):
    """A linear Gaussian autoencoder's p(x) is normal; the importance weighted bound comes close to it, from
    below."""
    model, theta = autoencoder(random)
    vector = theta["vae"]
    # A posterior about as broad as the prior, so that draws from it reach all that counts.
    vector["encoder/dense1/weight"][...] *= 0.1
    vector["encoder/dense1/bias"][...] = 0
    weight, bias = vector["decoder/dense1/weight"], vector["decoder/dense1/bias"]
    x = random.standard_normal((20, 4))
    covariance = weight.T @ weight + 2.25 * np.eye(4)
    error = x - bias
    expected = -0.5 * (
        (error @ np.linalg.inv(covariance) * error).sum(1) + np.linalg.slogdet(2 * np.pi * covariance)[1]
    )
    elbo, iwae = model.bounds(theta, x, random.standard_normal((5000, 20, 3)))
    assert np.all(elbo < expected) and iwae == pytest.approx(expected, abs=0.05) and np.all(elbo < iwae)
