"""Variational autoencoder (Kingma & Welling 2013, arXiv:1312.6114)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from hpcgen.arrays import Array
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.models.batch import Batch, Streams
from hpcgen.models.latent import Autoencoder, LatentOptions
from hpcgen.models.model import Preset, Theta
from hpcgen.models.networks.architectures import Perceptron, Pyramid, PyramidGenerator
from hpcgen.models.networks.building import build
from hpcgen.models.units import Interval
from hpcgen.nn.divided import each, summed, total
from hpcgen.nn.layer import Backward, Layer, Train
from hpcgen.nn.likelihoods import Bernoulli, Gaussian, LikelihoodOfNumbers
from hpcgen.nn.vector import Vector
from hpcgen.settings import setting

LIKELIHOODS: dict[str, Callable[[Any], LikelihoodOfNumbers]] = {
    "bernoulli": lambda options: Bernoulli(),
    "gaussian": lambda options: Gaussian(options.sigma),
}


@dataclass(frozen=True)
class VAEOptions(LatentOptions):
    """The [model] table for kind = "vae". `network` chooses the types of `encoder` and `decoder`."""

    likelihood: str = setting("bernoulli", choices=LIKELIHOODS, help="distribution of a sample's numbers")
    sigma: float = setting(
        1.0, gt=0, help="standard deviation of the gaussian likelihood (samples in -1 to 1)"
    )
    encoder: Perceptron | Pyramid = field(kw_only=True)
    decoder: Perceptron | PyramidGenerator = field(kw_only=True)


# What the convolutions of both networks share.
CONVOLUTIONS = {"normalization": False, "deviation": 0.0, "width": 32}
# The first network is the default. P is the number of values in a sample.
NETWORKS = {
    # P-256-20-256-P
    "vae": Preset(
        VAEOptions,
        {"encoder": Perceptron, "decoder": Perceptron},
        {"encoder": {"hidden": [256]}, "decoder": {"hidden": [256]}},
    ),
    # Convolutions that halve each axis, and transposed convolutions that double each axis
    "conv-vae": Preset(
        VAEOptions,
        {"encoder": Pyramid, "decoder": PyramidGenerator},
        {"encoder": {**CONVOLUTIONS, "activation": "relu"}, "decoder": {**CONVOLUTIONS, "output": "linear"}},
    ),
}


class VAE(Autoencoder):
    """The encoder maps a sample to the mean and log variance of a normal distribution of latent numbers. The
    decoder maps latent numbers to a sample."""

    NETWORKS = NETWORKS
    players = ("vae",)
    at_samples: ClassVar = {"encoder": (True, False), "decoder": (False, True)}

    def __init__(self, options: VAEOptions, schema: Schema) -> None:
        if options.likelihood == "bernoulli" and options.sigma != 1:
            raise InputError('model.sigma: applies only to model.likelihood = "gaussian"; leave it out')
        super().__init__(options, schema)
        self.likelihood = LIKELIHOODS[options.likelihood](options)
        self.units = Interval(schema, *self.likelihood.range)
        shape, latent = tuple(schema.shape), options.latent
        encoder, decoder = options.encoder.specs(shape, 2 * latent), options.decoder.back(shape)
        self.networks = {
            "encoder": build(encoder, shape, (2 * latent,), "model.encoder.layers", "encoder/"),
            "decoder": build(decoder, (latent,), shape, "model.decoder.layers", "decoder/"),
        }

    def encode(
        self, theta: Vector, x: Array, random: Streams | None
    ) -> tuple[Array, Callable[[Array, Vector], None]]:
        codes, backward = self._forward(self.networks["encoder"], theta, x, random, 0)
        return codes, lambda dcodes, grad: backward(dcodes, grad, need_dx=False)

    def decode(
        self, theta: Vector, z: Array, x: Array, random: Streams | None
    ) -> tuple[np.floating, Callable[[Vector], Array]]:
        a, backward = self._forward(self.networks["decoder"], theta, z, random, 1)
        loss, slope = summed(self.likelihood.loss, a, x)
        return loss, lambda grad: backward(slope, grad)

    @staticmethod
    def _forward(
        network: Layer, theta: Vector, x: Array, random: Streams | None, index: int
    ) -> tuple[Array, Backward]:
        """Run a network in training mode, or in evaluation mode if `random` is None."""
        train = Train(random=random(index) if network.draws else None) if random else None
        return network.forward(theta, x, train)

    def log_likelihood(self, theta: Theta, z: Array, x: Array) -> Array:
        a, _ = self.networks["decoder"].forward(theta["vae"], z, train=None)
        return -total(lambda a, x: self.likelihood.terms(a, x).reshape(len(x), -1).sum(1), a, x)

    def sample(self, theta: Theta, batch: Batch) -> Array:
        """Return the mean of each sample (size, *sample_shape) in `units`, decoded from the batch's noise
        (size, latent)."""
        return each(
            self.likelihood.mean, self.networks["decoder"].forward(theta["vae"], batch.noise, train=None)[0]
        )
