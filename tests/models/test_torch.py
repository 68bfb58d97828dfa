"""Compare objectives and their gradients with PyTorch's autograd, in float32."""

import numpy as np
import pytest
from gradients import write_gradient

from hpcgen.data.schema import Columns, Schema
from hpcgen.models.batch import Batch
from hpcgen.models.classifier import Classifier, ClassifierOptions
from hpcgen.models.gan import GAN, GANOptions
from hpcgen.models.linear import LinearGenerator, LinearOptions
from hpcgen.models.networks.architectures import Perceptron, PerceptronGenerator
from hpcgen.models.regressor import Regressor, RegressorOptions
from hpcgen.models.rvae import RVAE, SequenceRVAE, TextRVAE
from hpcgen.models.vae import VAE, VAEOptions
from hpcgen.nn.vector import Vector

HOW = "no PyTorch here: run `PYTHON -m pytest tests/models/test_torch.py` with an interpreter that has torch"
torch = pytest.importorskip("torch", reason=HOW)
functional = torch.nn.functional

N = 32


def agree(model, player, batch, objective, random):
    """Compare a player's loss and gradient with those of objective({name: tensor} a player) in PyTorch."""
    theta = {name: Vector(layout.state()) for name, layout in model.layouts.items()}
    for name in model.players:
        model.initialize(name, theta[name], random)
    grad = Vector(model.layouts[player])
    theirs = {
        name: {part: torch.tensor(vector[part], requires_grad=name == player) for part in vector}
        for name, vector in theta.items()
    }
    write_gradient(model, player, theta, batch, grad)
    loss = objective(theirs)
    loss.backward()
    assert float(grad["loss"]) == pytest.approx(loss.item(), rel=1e-5)
    for name, parameter in theirs[player].items():
        if name in model.layouts[player].names(model.layouts[player].parameters):
            expected = parameter.grad.numpy()
            assert np.abs(grad[name] - expected).max() <= 1e-5 * np.abs(expected).max(), name


def dense(x, theta, name):
    return x @ theta[f"{name}/weight"] + theta[f"{name}/bias"]


def perceptron(x, theta, layers, activation, prefix=""):
    for i in range(1, layers):
        x = activation(dense(x, theta, f"{prefix}dense{i}"))
    return dense(x, theta, f"{prefix}dense{layers}")


def floats(*shape, **keys):
    return Schema(shape, "float32", "array", -1.0, 1.0, **keys)


def normal(random, *shape):
    return random.standard_normal(shape, dtype=np.float32)


def gaussian(a, x, sigma=1.0):
    return -torch.distributions.Normal(a, sigma).log_prob(x).sum()


def bernoulli(a, x):
    return functional.binary_cross_entropy_with_logits(a, x, reduction="sum")


def divergence(codes):
    """Return KL(q || p) a latent number, by torch.distributions, and z for the noise."""
    mean, log_variance = codes.chunk(2, 1)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    kl = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    return kl, lambda noise: mean + (0.5 * log_variance).exp() * torch.tensor(noise)


@pytest.mark.parametrize("likelihood", [bernoulli, gaussian])
@pytest.mark.parametrize("free_bits", [0.0, 0.004])
def test_vae(random, likelihood, free_bits):
    networks = {"encoder": Perceptron([256]), "decoder": Perceptron([256])}
    keys = {"beta": 0.7, "kl_warmup": 10, "free_bits": free_bits}
    options = VAEOptions(latent=20, likelihood=likelihood.__name__, **keys, **networks)
    x, noise = random.random((N, 28, 28), dtype=np.float32), normal(random, N, 20)

    def objective(theta):
        theta, rows = theta["vae"], torch.tensor(x.reshape(N, -1))
        kl, draw = divergence(perceptron(rows, theta, 2, torch.relu, "encoder/"))
        a = perceptron(draw(noise), theta, 2, torch.relu, "decoder/")
        return likelihood(a, rows) + 0.7 * 0.3 * kl.sum(0).clamp(min=N * free_bits).sum()

    agree(VAE(options, floats(28, 28)), "vae", Batch(N, x, noise, step=2), objective, random)


def recurrent(cell, theta, name):
    """Return PyTorch's layer with hpcgen's parameters, as tensors that gradients reach."""
    weights = [theta[f"{name}/{part}"] for part in ("input", "recurrent", "input_bias", "recurrent_bias")]
    module = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell](
        weights[0].shape[0], weights[1].shape[0], batch_first=True
    )
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    values = dict(zip(names, [weights[0].T, weights[1].T, *weights[2:]]))

    def run(x, start):
        state = start[None] if cell == "gru" else (start[None], torch.zeros_like(start)[None])
        return torch.func.functional_call(module, values, (x, state))[0]

    return run


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("kind", ["text", "sequence"])
def test_rvae(random, cell, kind):
    text, time, latent, hidden = kind == "text", 12, 5, 24
    keys = {"latent": latent, "cell": cell, "hidden": hidden, "word_dropout": 0.3}
    if text:
        options = TextRVAE(embedding=7, **keys)
        schema = Schema((time,), "uint8", "text", 0.0, 19.0, vocabulary="abcdefghijklmnopqrst")
        x = random.integers(0, 20, (N, time))
    else:
        options, schema, x = (
            SequenceRVAE(sigma=0.5, **keys),
            floats(time, 3),
            normal(random, N, time, 3),
        )
    noise = normal(random, N, latent)
    blank = torch.tensor(np.random.default_rng(0).random((N, time), dtype=np.float32) < 0.3)

    def objective(theta):
        theta, rows = theta["rvae"], torch.tensor(x)
        read = theta["encoder/embedding/weight"][rows] if text else rows
        last = recurrent(cell, theta, "encoder/recurrent")(read, torch.zeros(N, hidden))[:, -1]
        kl, draw = divergence(dense(last, theta, "encoder/codes"))
        z = draw(noise)
        if text:
            before = torch.cat([torch.full((N, 1), 20), rows[:, :-1]], 1).masked_fill(blank, 20)
            before = theta["decoder/embedding/weight"][before]
        else:
            before = torch.cat([torch.zeros(N, 1, 3), rows[:, :-1]], 1).masked_fill(blank[..., None], 0.0)
        given = torch.cat([before, z[:, None].expand(N, time, latent)], 2)
        hiddens = recurrent(cell, theta, "decoder/recurrent")(
            given, torch.tanh(dense(z, theta, "decoder/start"))
        )
        a = dense(hiddens, theta, "decoder/output")
        loss = (
            functional.cross_entropy(a.flatten(0, 1), rows.flatten(), reduction="sum")
            if text
            else gaussian(a, rows, 0.5)
        )
        return loss + kl.sum()

    batch = Batch(N, x, noise, random=lambda i: np.random.default_rng(i))
    agree(RVAE(options, schema), "rvae", batch, objective, random)


def softplus(logits):
    return functional.softplus(logits).sum()


LOSSES = {
    "minimax": (lambda r: 0.9 * softplus(-r) + 0.1 * softplus(r), softplus, lambda f: -softplus(f)),
    "non-saturating": (lambda r: 0.9 * softplus(-r) + 0.1 * softplus(r), softplus, lambda f: softplus(-f)),
    "least-squares": (
        lambda r: 0.5 * (r - 0.9).square().sum(),
        lambda f: 0.5 * f.square().sum(),
        lambda f: 0.5 * (f - 1).square().sum(),
    ),
    "hinge": (lambda r: torch.relu(1 - r).sum(), lambda f: torch.relu(1 + f).sum(), lambda f: -f.sum()),
    "wasserstein": (lambda r: -r.sum(), lambda f: f.sum(), lambda f: -f.sum()),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("conditional", [False, True])
def test_gan(random, loss, conditional):
    smooth, penalized = loss in ("minimax", "non-saturating", "least-squares"), loss == "wasserstein"
    options = GANOptions(
        latent=10,
        loss=loss,
        label_smoothing=0.1 * smooth,
        conditional=conditional,
        gradient_penalty=10.0 * penalized,
        generator=PerceptronGenerator([64], "relu", "tanh"),
        discriminator=Perceptron([64, 32], "leaky-relu"),
    )
    model = GAN(options, floats(6, 6, classes=4))
    x, noise, labels = normal(random, N, 6, 6), normal(random, N, 10), random.integers(0, 4, N)
    share = torch.tensor(np.random.default_rng(3).random((N, 1, 1), dtype=np.float32)).flatten(1)
    rows, chosen = torch.tensor(x.reshape(N, -1)), torch.tensor(labels)

    def logits(theta, samples):
        found = perceptron(samples, theta["discriminator"], 3, lambda y: functional.leaky_relu(y, 0.2))
        return found.gather(1, chosen[:, None]) if conditional else found

    def fake(theta):
        code = torch.tensor(noise)
        code = torch.cat([code, functional.one_hot(chosen, 4)], 1) if conditional else code
        return torch.tanh(perceptron(code, theta["generator"], 2, torch.relu))

    def discriminator(theta):
        real, made, _ = LOSSES[loss]
        total = real(logits(theta, rows)) + made(logits(theta, fake(theta).detach()))
        if penalized:
            between = (fake(theta) + share * (rows - fake(theta))).detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(logits(theta, between).sum(), between, create_graph=True)
            total = total + 10 * (slope.norm(dim=1) - 1).square().sum()
        return total

    batch = Batch(N, x, noise, labels=labels, random=lambda i: np.random.default_rng(i))
    agree(model, "discriminator", batch, discriminator, random)
    agree(
        model,
        "generator",
        Batch(N, x, noise, labels=labels),
        lambda t: LOSSES[loss][2](logits(t, fake(t))),
        random,
    )


COLUMNS = floats(2, inputs=Columns((0.0,) * 6, (1.0,) * 6), outputs=Columns((0.0, 1.0), (1.0, 2.0)))


def test_linear(random):
    x, y = normal(random, N, 6), normal(random, N, 2)

    def objective(theta):
        theta = theta["linear"]
        a = torch.tensor(x) @ theta["theta"] + theta["intercept"]
        return gaussian(a, torch.tensor(y), theta["log_deviation"].exp())

    agree(
        LinearGenerator(LinearOptions(intercept=True), COLUMNS),
        "linear",
        Batch(N, y, inputs=x),
        objective,
        random,
    )


def test_regressor(random):
    x, y = normal(random, N, 6), normal(random, N, 2)

    def objective(theta):
        return (
            0.5
            * (perceptron(torch.tensor(x), theta["regressor"], 3, torch.relu) - torch.tensor(y))
            .square()
            .sum()
        )

    model = Regressor(RegressorOptions(regressor=Perceptron([10, 10])), COLUMNS)
    agree(model, "regressor", Batch(N, y, inputs=x), objective, random)


def test_classifier(random):
    x, labels = normal(random, N, 5, 5), random.integers(0, 4, N)

    def objective(theta):
        a = perceptron(torch.tensor(x.reshape(N, -1)), theta["classifier"], 2, torch.relu)
        return functional.cross_entropy(a, torch.tensor(labels), reduction="sum")

    model = Classifier(ClassifierOptions(classifier=Perceptron([16])), floats(5, 5, classes=4))
    agree(model, "classifier", Batch(N, x, labels=labels), objective, random)
