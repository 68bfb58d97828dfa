"""Base of variational autoencoders: a normal posterior of latent numbers, and the evidence lower bound."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from hpcgen.arrays import Array
from hpcgen.data.schema import Schema
from hpcgen.models.batch import Batch, Streams
from hpcgen.models.model import Backward, Model, ModelOptions, Statistics, Theta
from hpcgen.nn.vector import Vector
from hpcgen.settings import setting
from hpcgen.streams import normal


@dataclass(frozen=True)
class LatentOptions(ModelOptions):
    """Keys of the [model] table that all autoencoders have."""

    latent: int = setting(20, ge=1, le=1_000_000, help="latent numbers of a sample")
    beta: float = setting(1.0, ge=0, help="weight of the Kullback-Leibler divergence")
    kl_warmup: int = setting(0, ge=0, help="steps over which the divergence's weight grows from 0 to beta")
    free_bits: float = setting(0.0, ge=0, help="nats of divergence per latent number without a cost")


class Posterior:
    """q(z | x): a normal distribution with the mean and log variance of an encoder. p(z) is standard normal.

    The Kullback-Leibler divergence has the weight `beta` (Higgins et al. 2017), which grows from 0 over the
    first `kl_warmup` steps (Bowman et al. 2015, arXiv:1511.06349, section 3.1). A latent number whose mean
    divergence over the lane is below `free_bits` nats adds `free_bits` to the loss, and its divergence has no
    gradient (Kingma et al. 2016, arXiv:1606.04934, eq. 15).
    """

    def __init__(self, options: LatentOptions) -> None:
        self.size = options.latent
        self._beta = options.beta
        self._warmup = options.kl_warmup
        self._free = options.free_bits

    def split(self, codes: Array) -> tuple[Array, Array]:
        """Return the mean and the log variance, (n, size) each, from an encoder's output (n, 2 size)."""
        return codes[:, : self.size], codes[:, self.size :]

    @staticmethod
    def divergence(mean: Array, log_variance: Array) -> Array:
        """Return KL(q || p) of each latent number, (n, size): (mean^2 + variance - log variance - 1) / 2
        (Kingma & Welling 2013, arXiv:1312.6114, appendix B)."""
        return 0.5 * (mean * mean + np.exp(log_variance) - log_variance - 1)

    def beta(self, step: int) -> float:
        """Return the divergence's weight after `step` steps."""
        return self._beta * min(1.0, (step + 1) / self._warmup) if self._warmup else self._beta

    def draw(
        self, codes: Array, noise: Array, step: int
    ) -> tuple[Array, np.floating, np.floating, Callable[[Array], Array]]:
        """Return z = mean + exp(log variance / 2) noise, the divergence, its term in the loss, and the
        closure backward(dz) -> dcodes, which includes that term. noise: (n, size)."""
        mean, log_variance = self.split(codes)
        spread = np.exp(0.5 * log_variance)
        z = spread * noise
        z += mean
        terms, beta = self.divergence(mean, log_variance).sum(0), self.beta(step)
        floor = self._free * len(codes) if self._free else -np.inf
        pressed = np.where(terms >= floor, beta, 0).astype(codes.dtype)

        def backward(dz: Array) -> Array:
            halves = [dz + pressed * mean, 0.5 * (dz * noise * spread + pressed * (spread * spread - 1))]
            return np.concatenate(halves, axis=1, dtype=codes.dtype)

        return z, terms.sum(), beta * np.maximum(terms, floor).sum(), backward


class Autoencoder(Model):
    """A model with an encoder, a `posterior` of latent numbers, and a decoder with a likelihood.

    x (n, *sample_shape) are samples in the model's units. The loss is the negative evidence lower bound
    (Kingma & Welling 2013, eq. 10), with one draw of the latent numbers per sample.
    """

    @abstractmethod
    def encode(
        self, theta: Vector, x: Array, random: Streams | None
    ) -> tuple[Array, Callable[[Array, Vector], None]]:
        """Return the codes (n, 2 latent) of samples, and the closure backward(dcodes, grad)."""

    @abstractmethod
    def decode(
        self, theta: Vector, z: Array, x: Array, random: Streams | None
    ) -> tuple[np.floating, Callable[[Vector], Array]]:
        """Return the sum of -log p(x | z), and the closure backward(grad) -> dz."""

    @abstractmethod
    def log_likelihood(self, theta: Theta, z: Array, x: Array) -> Array:
        """Return log p(x | z) of each sample, (n,)."""

    def __init__(self, options: LatentOptions, schema: Schema) -> None:
        super().__init__(options, schema)
        self.posterior = Posterior(options)
        self.statistics = dict.fromkeys(self.players, ("loss", "elbo", "reconstruction", "kl", "count"))
        self.turns = tuple((player, 0) for player in self.players)

    def noise(self, random: np.random.Generator, size: int) -> Array:
        return normal(random, (size, self.posterior.size))

    def objective(self, player: str, theta: Theta, batch: Batch) -> tuple[Statistics, Backward]:
        """Return the loss, the bound and its two parts, and the backward of the loss."""
        own, x = theta[player], batch.samples
        codes, encoder_backward = self.encode(own, x, batch.random)
        z, kl, weighed, latent_backward = self.posterior.draw(codes, batch.noise, batch.step)
        reconstruction, decoder_backward = self.decode(own, z, x, batch.random)

        def backward(grad: Vector) -> None:
            encoder_backward(latent_backward(decoder_backward(grad)), grad)

        return {
            "loss": reconstruction + weighed,
            "elbo": -reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
            "count": batch.size,
        }, backward

    def codes(self, theta: Theta, x: Array) -> tuple[Array, Array]:
        """Return the posterior's mean and log variance (n, latent) of samples x."""
        return self.posterior.split(self.encode(theta[self.players[0]], x, None)[0])

    def bounds(self, theta: Theta, x: Array, draws: Iterable[Array]) -> tuple[Array, Array]:
        """Return two lower bounds of log p(x), (n,) each. `draws` are arrays of noise (n, latent).

        The first is the evidence lower bound. The mean over the draws replaces the expectation over z. The
        second is the importance-weighted bound, the logarithm of the mean of p(x, z) / q(z | x), which is
        tighter (Burda et al. 2015, arXiv:1509.00519, eq. 8).
        """
        mean, log_variance = self.codes(theta, x)
        likelihoods, weights = [], []
        for noise in draws:
            z = mean + np.exp(0.5 * log_variance) * noise
            likelihoods.append(self.log_likelihood(theta, z, x).astype(np.float64))
            weights.append(likelihoods[-1] + 0.5 * (noise * noise - z * z + log_variance).sum(1))
        elbo = np.stack(likelihoods).mean(0) - self.posterior.divergence(mean, log_variance).sum(1)
        return elbo, np.logaddexp.reduce(np.stack(weights), axis=0) - np.log(len(weights))
