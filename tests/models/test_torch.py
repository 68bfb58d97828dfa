"""Objectives and their gradients against PyTorch's autograd."""

import numpy as np
import pytest

from hpcgen.data.schema import Schema
from hpcgen.models.batch import Batch
from hpcgen.models.networks import Perceptron
from hpcgen.models.vae import VAE, PerceptronVAE
from hpcgen.nn.vector import Vector

HOW = "PyTorch is not installed here: run `PYTHON -m pytest tests/models/test_torch.py` with an interpreter that has it"
torch = pytest.importorskip("torch", reason=HOW)


def dense(x, theta, name):
    return x @ theta[f"{name}/weight"] + theta[f"{name}/bias"]


def gaussian(a, x):
    return -torch.distributions.Normal(a, 1.0).log_prob(x).sum()


def bernoulli(a, x):
    return torch.nn.functional.binary_cross_entropy_with_logits(a, x, reduction="sum")


@pytest.mark.parametrize("likelihood", [bernoulli, gaussian])
def test_vae(random, likelihood):
    options = PerceptronVAE(
        latent=20, likelihood=likelihood.__name__, beta=0.7, encoder=Perceptron([256]), decoder=Perceptron([256])
    )
    model = VAE(options, Schema((28, 28), "float32", "array", 0.0, 1.0))
    theta, grad = (Vector(layout) for layout in (model.layouts["vae"].state(), model.layouts["vae"]))
    model.initialize("vae", theta, random)
    batch = random.random((128, 28, 28), dtype=np.float32)
    noise = random.standard_normal((128, 20)).astype(np.float32)
    model.gradient("vae", {"vae": theta}, Batch(128, batch, noise), grad)

    theirs = {name: torch.tensor(theta[name], requires_grad=True) for name in theta}
    x = torch.tensor(batch.reshape(128, -1))
    hidden = torch.relu(dense(x, theirs, "encoder/dense1"))
    mean, log_variance = dense(hidden, theirs, "encoder/dense2").chunk(2, 1)
    z = mean + (0.5 * log_variance).exp() * torch.tensor(noise)
    a = dense(torch.relu(dense(z, theirs, "decoder/dense1")), theirs, "decoder/dense2")
    prior = torch.distributions.Normal(0.0, 1.0)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    kl = torch.distributions.kl_divergence(posterior, prior).sum()
    loss = likelihood(a, x) + 0.7 * kl
    loss.backward()

    assert float(grad["loss"]) == pytest.approx(loss.item(), rel=1e-5)
    assert float(grad["kl"]) == pytest.approx(kl.item(), rel=1e-5)
    for name, parameter in theirs.items():
        expected = parameter.grad.numpy()
        assert np.abs(grad[name] - expected).max() <= 1e-5 * np.abs(expected).max(), name
