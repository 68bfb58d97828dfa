"""The PyTorch part of engine.py, layers.py and learning.py: the same networks, with one thread and fused
Adam.

    python yardstick.py train NET BATCH FORM
        run as a racer (race.py); FORM: eager, eager-cl, compile, compile-cl (cl: channels_last)
    python yardstick.py layer LAYER FORM
        run as a racer; LAYER: an entry of LAYERS in layers.py, as JSON; FORM: plain, channels_last
    python yardstick.py learn NET DATA.npy BATCH STEPS SEED OUT.npz
        train on the rows of DATA, and write the parameters with hpcgen's names

Run it with an interpreter that has torch.
"""

import json
import sys
from time import perf_counter

import numpy as np
import torch
from race import race
from torch import nn

ABOUT = {"version": f"torch {torch.__version__}"}

torch.set_num_threads(1)
torch.manual_seed(0)


def dense(*layers):
    return nn.Sequential(*layers)


def dcgan(width, channels, latent):
    """Return the networks of Radford et al. 2015 for 64 x 64, as in PyTorch's own example."""
    g = [nn.ConvTranspose2d(latent, width * 8, 4, 1, 0, bias=False), nn.BatchNorm2d(width * 8), nn.ReLU(True)]
    for a, b in ((8, 4), (4, 2), (2, 1)):
        g += [
            nn.ConvTranspose2d(width * a, width * b, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width * b),
            nn.ReLU(True),
        ]
    g += [nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()]
    d = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for a, b in ((1, 2), (2, 4), (4, 8)):
        d += [
            nn.Conv2d(width * a, width * b, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width * b),
            nn.LeakyReLU(0.2, True),
        ]
    d += [nn.Conv2d(width * 8, 1, 4, 1, 0, bias=False), nn.Flatten()]
    return nn.Sequential(*g), nn.Sequential(*d)


def networks(net):
    """Return (generator, discriminator, shape of the noise, shape of a sample)."""
    if net == "seedgan":
        g = dense(nn.Linear(100, 128), nn.ReLU(), nn.Linear(128, 100), nn.Sigmoid())
        return g, dense(nn.Linear(100, 128), nn.ReLU(), nn.Linear(128, 1)), (100,), (100,)
    if net == "mlpgan":
        g = dense(
            nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 784), nn.Tanh()
        )
        d = dense(
            nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1)
        )
        return g, d, (100,), (784,)
    if net == "dcgan28":
        g = [
            nn.Linear(100, 128),
            nn.ELU(),
            nn.Linear(128, 7 * 7 * 256),
            nn.ReLU(),
            nn.Unflatten(1, (256, 7, 7)),
        ]
        g += [
            nn.ConvTranspose2d(256, 128, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 1, 4, 2, 1),
            nn.Tanh(),
        ]
        d = [
            nn.Conv2d(1, 64, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(64, 128, 4, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(128 * 49, 1),
        ]
        return nn.Sequential(*g), nn.Sequential(*d), (100,), (1, 28, 28)
    return *dcgan(64, 3, 100), (100, 1, 1), (3, 64, 64)


class VAE(nn.Module):
    """P-256-20-256-P with a Bernoulli likelihood, for samples of P numbers (`numbers`)."""

    def __init__(self, numbers=784, latent=20):
        super().__init__()
        self.encoder = dense(nn.Linear(numbers, 256), nn.ReLU(), nn.Linear(256, 2 * latent))
        self.decoder = dense(nn.Linear(latent, 256), nn.ReLU(), nn.Linear(256, numbers))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, 1)
        a = self.decoder(mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean))
        kl = 0.5 * (mean * mean + log_variance.exp() - log_variance - 1).sum()
        return nn.functional.binary_cross_entropy_with_logits(a, x, reduction="sum") + kl


class RVAE(nn.Module):
    """hpcgen's network `text`: GRUs of 256, embeddings of 64, 32 latent numbers, a word dropout of 0.25."""

    def __init__(self, vocabulary=76, hidden=256, embedding=64, latent=32):
        super().__init__()
        self.blank = vocabulary
        self.read, self.written = nn.Embedding(vocabulary, embedding), nn.Embedding(vocabulary + 1, embedding)
        self.encoder = nn.GRU(embedding, hidden, batch_first=True)
        self.decoder = nn.GRU(embedding + latent, hidden, batch_first=True)
        self.codes, self.start = nn.Linear(hidden, 2 * latent), nn.Linear(latent, hidden)
        self.output = nn.Linear(hidden, vocabulary)

    def forward(self, x):
        n, time = x.shape
        mean, log_variance = self.codes(self.encoder(self.read(x))[0][:, -1]).chunk(2, 1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        before = torch.cat([torch.full((n, 1), self.blank), x[:, :-1]], 1)
        before = before.masked_fill(torch.rand(n, time) < 0.25, self.blank)
        given = torch.cat([self.written(before), z[:, None].expand(-1, time, -1)], 2)
        a = self.output(self.decoder(given, torch.tanh(self.start(z))[None])[0])
        kl = 0.5 * (mean * mean + log_variance.exp() - log_variance - 1).sum()
        return nn.functional.cross_entropy(a.flatten(0, 1), x.flatten(), reduction="sum") + kl


class AutoencoderStep:
    def __init__(self, net, batch, form):
        self.x = torch.rand(batch, 784) if net == "vae" else torch.randint(0, 76, (batch, 64))
        model, self.batch = (VAE() if net == "vae" else RVAE()), batch
        self.adam = torch.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        self.loss = torch.compile(model) if form.startswith("compile") else model

    def step(self):
        self.adam.zero_grad()
        (self.loss(self.x) / self.batch).backward()
        self.adam.step()


class GAN:
    """A step updates the discriminator and then the generator, as `hpcgen train` does."""

    def __init__(self, net, batch, form):
        g, d, self.latent, shape = networks(net)
        self.x, self.batch = torch.rand(batch, *shape) * 2 - 1, batch
        if form.endswith("-cl"):
            g, d = (network.to(memory_format=torch.channels_last) for network in (g, d))
            self.x = self.x.to(memory_format=torch.channels_last)
        self.parameters = list(d.parameters())
        adam = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
        self.adam_g, self.adam_d = (
            torch.optim.Adam(g.parameters(), **adam),
            torch.optim.Adam(self.parameters, **adam),
        )
        # With batch norm, real and generated samples need separate passes. Without it, one pass is faster.
        self.together = not any(isinstance(m, nn.BatchNorm2d) for m in d)
        compiled = form.startswith("compile")
        self.g, self.d = (torch.compile(network) if compiled else network for network in (g, d))
        self.bce, self.one, self.zero = nn.BCEWithLogitsLoss(), torch.ones(batch, 1), torch.zeros(batch, 1)

    def step(self):
        fake = self.g(torch.randn(self.batch, *self.latent))
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        self.adam_d.zero_grad()
        if self.together:
            logits = self.d(torch.cat([self.x, fake.detach()]))
            self.bce(logits, torch.cat([self.one, self.zero])).backward()
        else:
            (self.bce(self.d(self.x), self.one) + self.bce(self.d(fake.detach()), self.zero)).backward()
        self.adam_d.step()
        for parameter in self.parameters:
            parameter.requires_grad_(False)
        self.adam_g.zero_grad()
        self.bce(self.d(fake), self.one).backward()
        self.adam_g.step()


def train(net, batch, form):
    trained = (AutoencoderStep if net in ("vae", "rvae") else GAN)(net, int(batch), form)
    for _ in range(3):
        trained.step()

    def run(count):
        start = perf_counter()
        for _ in range(count):
            trained.step()
        return [perf_counter() - start]

    race(run, ABOUT)


def layer(text, form):
    kind, batch, sizes, channels, outputs = json.loads(text)
    dims = len(sizes)
    if kind == "dense":
        made = nn.Linear(channels, outputs)
    elif kind == "batch-norm":
        made = nn.BatchNorm2d(channels)
    else:
        convolution = {"conv": "Conv{}d", "conv-transpose": "ConvTranspose{}d"}[kind].format(dims)
        made = getattr(nn, convolution)(channels, outputs, 4, 2, 1)
    x = torch.randn(batch, channels, *sizes)
    if form == "channels_last":
        made, x = made.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    x.requires_grad_(True)
    dy = torch.randn_like(made(x))
    wanted = [x, *made.parameters()]

    def run(count):
        forward = backward = 0.0
        for _ in range(count):
            start = perf_counter()
            y = made(x)
            middle = perf_counter()
            torch.autograd.grad(y, wanted, dy)
            forward, backward = forward + middle - start, backward + perf_counter() - middle
        return [forward, backward]

    race(run, ABOUT)


def learn(net, data, batch, steps, seed, out):
    torch.manual_seed(int(seed))
    x, batch = torch.tensor(np.load(data)).flatten(1), int(batch)
    parameters = {"vae": learn_vae, "mlpgan": learn_gan}[net](batches(x, batch, int(steps)), x.shape[1])
    np.savez(out, **parameters)


def batches(x, batch, steps):
    """Yield `steps` batches of rows, epoch by epoch. Each epoch has a new order."""
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < batch:
            order = torch.cat([order, torch.randperm(len(x))])
        yield x[order[:batch]]
        order = order[batch:]


def learn_vae(batches, numbers):
    vae = VAE(numbers)
    adam = torch.optim.Adam(vae.parameters(), lr=1e-3, fused=True)
    for x in batches:
        adam.zero_grad()
        (vae(x) / len(x)).backward()
        adam.step()
    return named(vae.encoder, "encoder/") | named(vae.decoder, "decoder/")


def learn_gan(batches, numbers):
    """Train mlpgan on samples of `numbers` numbers. Return the parameters of its generator."""
    g = dense(
        nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, numbers), nn.Tanh()
    )
    d = dense(
        nn.Linear(numbers, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1)
    )
    adams = [
        torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True) for network in (d, g)
    ]
    for x in batches:
        fake = g(torch.randn(len(x), 100))
        one, zero = torch.ones(len(x), 1), torch.zeros(len(x), 1)
        bce = nn.functional.binary_cross_entropy_with_logits
        adams[0].zero_grad()
        (bce(d(x), one) + bce(d(fake.detach()), zero)).backward()
        adams[0].step()
        adams[1].zero_grad()
        bce(d(fake), one).backward()
        adams[1].step()
    return named(g, "")


def named(network, prefix):
    """Return the parameters of a perceptron with hpcgen's names."""
    found = {}
    for i, linear in enumerate((m for m in network if isinstance(m, nn.Linear)), 1):
        found[f"{prefix}dense{i}/weight"] = linear.weight.detach().numpy().T
        found[f"{prefix}dense{i}/bias"] = linear.bias.detach().numpy()
    return found


if __name__ == "__main__":
    {"train": train, "layer": layer, "learn": learn}[sys.argv[1]](*sys.argv[2:])
