"""Generative adversarial network (Goodfellow et al. 2014, arXiv:1406.2661)."""

from dataclasses import dataclass
from math import prod

import numpy as np

from hpcgen.models.networks import GAN_PRESETS, Generator, Perceptron
from hpcgen.nn.losses import LOSSES
from hpcgen.nn.vector import Layout
from hpcgen.settings import setting


@dataclass(frozen=True)
class GANOptions:
    """The run file's [model] table for kind = "gan"."""

    kind: str = setting("gan", choices=("gan",))
    network: str = setting("mlpgan", choices=GAN_PRESETS)
    latent: int = setting(100, ge=1, le=1_000_000)
    loss: str = setting("non-saturating", choices=LOSSES)
    generator: Generator = setting(Generator)
    discriminator: Perceptron = setting(Perceptron)

    @staticmethod
    def presets(table):
        """Return the values that stand under the user's own: those of the preset that `table` names."""
        return GAN_PRESETS.get(table.get("network", "mlpgan"), {})


class GAN:
    """A generator of samples from noise, and a discriminator whose logit tells real samples from generated ones."""

    Options = GANOptions
    players = ("discriminator", "generator")

    def __init__(self, options, sample_shape):
        self.sample_shape = tuple(sample_shape)
        self.latent = options.latent
        self.loss = LOSSES[options.loss]
        self.range = (0.0, 1.0) if options.generator.output == "sigmoid" else (-1.0, 1.0)
        size = prod(self.sample_shape)
        self.networks = {
            "generator": options.generator.chain(self.latent, size, options.generator.output),
            "discriminator": options.discriminator.chain(size, 1),
        }
        statistics = {
            "discriminator": {"loss": (), "real_logit": (), "fake_logit": (), "count": ()},
            "generator": {"loss": (), "count": ()},
        }
        self.layouts = {
            player: Layout(self.networks[player].parameters(), statistics=statistics[player]) for player in self.players
        }

    def initialize(self, player, theta, random):
        self.networks[player].initialize(theta, random)

    def noise(self, random, count):
        return random.standard_normal((count, self.latent), dtype=np.float32)

    def gradient(self, player, theta, batch, noise, grad, kept):
        """Write the sums over one lane into `grad`: derivatives of the player's loss, and its statistics.

        batch: (n, *sample_shape), noise: (n, latent). The generator's step takes the samples that the discriminator's step
        of the same lane left in `kept`, or makes them again: theta["generator"] has not moved, the bits are the same.
        """
        if "fake" not in kept:
            kept["fake"] = self.networks["generator"].forward(theta["generator"], noise)
        fake, backward = kept["fake"]
        if player == "generator":
            self._generator_gradient(theta, fake, backward, grad)
        else:
            self._discriminator_gradient(theta, batch.reshape(fake.shape), fake, grad)
        grad["count"][...] = len(noise)

    def _discriminator_gradient(self, theta, real, fake, grad):
        n = len(real)
        logits, backward = self.networks["discriminator"].forward(theta["discriminator"], np.concatenate([real, fake]))
        real_loss, real_slope = self.loss.real(logits[:n])
        fake_loss, fake_slope = self.loss.fake(logits[n:])
        backward(np.concatenate([real_slope, fake_slope]), grad, need_dx=False)
        grad["loss"][...] = real_loss + fake_loss
        grad["real_logit"][...] = logits[:n].sum()
        grad["fake_logit"][...] = logits[n:].sum()

    def _generator_gradient(self, theta, fake, backward, grad):
        logits, discriminator_backward = self.networks["discriminator"].forward(theta["discriminator"], fake)
        loss, slope = self.loss.generator(logits)
        backward(discriminator_backward(slope), grad, need_dx=False)
        grad["loss"][...] = loss

    def sample(self, theta, noise):
        """Return samples (count, *sample_shape) in `range`, made from noise (count, latent)."""
        y, _ = self.networks["generator"].forward(theta["generator"], noise, train=False)
        return y.reshape(-1, *self.sample_shape)
