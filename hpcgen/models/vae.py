"""Variational autoencoder (Kingma & Welling 2013, arXiv:1312.6114)."""

from dataclasses import dataclass

import numpy as np

from hpcgen.models.layers import build
from hpcgen.models.networks import Perceptron, Pyramid, PyramidGenerator
from hpcgen.models.units import Interval
from hpcgen.nn.layer import Train
from hpcgen.nn.likelihoods import LIKELIHOODS
from hpcgen.nn.vector import Layout
from hpcgen.settings import setting
from hpcgen.streams import normal


@dataclass(frozen=True)
class VAEOptions:
    """The run file's [model] table for kind = "vae"; the two networks' tables follow from `network`."""

    kind: str = setting("vae", choices=("vae",))
    network: str = "vae"
    latent: int = setting(20, ge=1, le=1_000_000)
    likelihood: str = setting("bernoulli", choices=LIKELIHOODS)
    beta: float = setting(1.0, ge=0)


@dataclass(frozen=True)
class PerceptronVAE(VAEOptions):
    encoder: Perceptron = setting(Perceptron)
    decoder: Perceptron = setting(Perceptron)


@dataclass(frozen=True)
class ConvolutionalVAE(VAEOptions):
    encoder: Pyramid = setting(Pyramid)
    decoder: PyramidGenerator = setting(PyramidGenerator)


PLAIN = {"normalization": False, "deviation": 0.0, "width": 32}
# The first is the default. P stands for the numbers in one sample.
NETWORKS = {
    # P-256-20-256-P
    "vae": (PerceptronVAE, {"encoder": {"hidden": [256]}, "decoder": {"hidden": [256]}}),
    # convolutions that halve the places, and their way back
    "conv-vae": (ConvolutionalVAE, {"encoder": {**PLAIN, "activation": "relu"}, "decoder": {**PLAIN, "output": "linear"}}),
}


class VAE:
    """An encoder of samples into means and log variances of a latent normal distribution, and a decoder back.

    The loss is the negative evidence lower bound of eq. 10, with one draw of the latent numbers a sample, summed over samples:
    -log p(x | z) + beta KL(q(z | x) || p(z)) (beta: Higgins et al. 2017).
    """

    NETWORKS = NETWORKS
    players = ("vae",)
    turns = (("vae", 0),)

    def __init__(self, options, schema):
        self.sample_shape, self.latent, self.beta = tuple(schema.shape), options.latent, options.beta
        self.likelihood = LIKELIHOODS[options.likelihood]
        self.units = Interval(schema, *self.likelihood.range)
        encoder, decoder = options.encoder.specs(self.sample_shape, 2 * self.latent), options.decoder.back(self.sample_shape)
        self.encoder = build(encoder, self.sample_shape, (2 * self.latent,), "model.encoder.layers", "encoder/")
        self.decoder = build(decoder, (self.latent,), self.sample_shape, "model.decoder.layers", "decoder/")
        networks = (self.encoder, self.decoder)
        self.layouts = {
            "vae": Layout(
                {name: shape for network in networks for name, shape in network.parameters().items()},
                {name: shape for network in networks for name, shape in network.buffers().items()},
                {"loss": (), "reconstruction": (), "kl": (), "count": ()},
            )
        }

    def initialize(self, player, theta, random):
        self.encoder.initialize(theta, random)
        self.decoder.initialize(theta, random)

    def noise(self, random, count):
        return normal(random, (count, self.latent))

    def gradient(self, player, theta, batch, grad):
        """Write the sums over one lane into `grad`: derivatives of the loss, and the loss and its two parts.

        The batch's noise is (n, latent), by which z = mean + exp(log variance / 2) noise.
        """
        theta, noise, random = theta["vae"], batch.noise, batch.random
        codes, encoder_backward = self._forward(self.encoder, theta, batch.samples, random, 0)
        mean, log_variance = codes[:, : self.latent], codes[:, self.latent :]
        spread = np.exp(0.5 * log_variance)
        z = spread * noise
        z += mean
        a, decoder_backward = self._forward(self.decoder, theta, z, random, 1)
        reconstruction, slope = self.likelihood.loss(a, batch.samples)
        dz = decoder_backward(slope, grad)
        variance = spread * spread
        # Appendix B: KL = (mean^2 + variance - log variance - 1) / 2.
        kl = 0.5 * (mean * mean + variance - log_variance - 1).sum()
        dcodes = np.concatenate(
            [dz + self.beta * mean, 0.5 * (dz * noise * spread + self.beta * (variance - 1))], axis=1, dtype=codes.dtype
        )
        encoder_backward(dcodes, grad, need_dx=False)
        grad["loss"][...] = reconstruction + self.beta * kl
        grad["reconstruction"][...] = reconstruction
        grad["kl"][...] = kl
        grad["count"][...] = batch.size

    @staticmethod
    def _forward(network, theta, x, random, index):
        return network.forward(theta, x, Train(random=random(index) if network.draws else None))

    def sample(self, theta, batch):
        """Return the means of samples (size, *sample_shape) in `units`, decoded from the batch's noise (size, latent)."""
        return self.likelihood.mean(self.decoder.forward(theta["vae"], batch.noise, train=None)[0])
