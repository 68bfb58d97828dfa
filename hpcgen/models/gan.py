"""Generative adversarial network (Goodfellow et al. 2014, arXiv:1406.2661)."""

from dataclasses import dataclass

import numpy as np

from hpcgen.models.layers import MOVES, Sigmoid, build
from hpcgen.models.networks import Layers, Perceptron, PerceptronGenerator, Pyramid, PyramidGenerator
from hpcgen.models.units import Interval
from hpcgen.nn.layer import Train
from hpcgen.nn.losses import LOSSES
from hpcgen.nn.vector import Layout
from hpcgen.settings import setting
from hpcgen.streams import normal


@dataclass(frozen=True)
class GANOptions:
    """The run file's [model] table for kind = "gan"; the two networks' tables follow from `network`."""

    kind: str = setting("gan", choices=("gan",))
    network: str = "mlpgan"
    latent: int = setting(100, ge=1, le=1_000_000)
    loss: str = setting("non-saturating", choices=LOSSES)


@dataclass(frozen=True)
class PerceptronGAN(GANOptions):
    generator: PerceptronGenerator = setting(PerceptronGenerator)
    discriminator: Perceptron = setting(Perceptron)


@dataclass(frozen=True)
class ConvolutionalGAN(GANOptions):
    generator: PyramidGenerator = setting(PyramidGenerator)
    discriminator: Pyramid = setting(Pyramid)


@dataclass(frozen=True, kw_only=True)
class LayeredGAN(GANOptions):
    generator: Layers = setting()
    discriminator: Layers = setting()


def both(**keys):
    """Return a preset that sets the same keys of both networks."""
    return {"generator": keys, "discriminator": keys}


# The first is the default. P stands for the numbers in one sample.
NETWORKS = {
    # 100-256-512-P / P-512-256-1
    "mlpgan": (
        PerceptronGAN,
        {"generator": {"hidden": [256, 512]}, "discriminator": {"hidden": [512, 256], "activation": "leaky-relu"}},
    ),
    # 100-128-P / P-128-1
    "seedgan": (PerceptronGAN, {"generator": {"hidden": [128], "output": "sigmoid"}, "discriminator": {"hidden": [128]}}),
    # Dense 128, Dense 7x7x256, ConvT 128, ConvT 1 / Conv 64, Conv 128, Dense 1 for 28 x 28 x 1
    "dcgan28": (
        ConvolutionalGAN,
        {
            "generator": {"hidden": [128], "width": 128, "normalization": False, "deviation": 0.0},
            "discriminator": {"activation": "relu", "width": 64, "normalization": False, "deviation": 0.0},
        },
    ),
    # Radford et al. 2015 (arXiv:1511.06434) for 64 x 64 x 3, with more or fewer stages at other sizes
    "dcgan64": (ConvolutionalGAN, {}),
    # the same in volumes, as in Wu et al. 2016 (arXiv:1610.07584)
    "dcgan3d": (ConvolutionalGAN, both(axes=3)),
    # Donahue et al. 2018 (arXiv:1802.04208), without phase shuffle: kernel 25, stride 4
    "wavegan": (ConvolutionalGAN, both(axes=1, kernel=25, stride=4, smallest=16, normalization=False, deviation=0.0)),
    "layers": (LayeredGAN, {}),
}


class GAN:
    """A generator of samples from noise, and a discriminator whose logit tells real samples from generated ones."""

    NETWORKS = NETWORKS
    players = ("discriminator", "generator")
    turns = (("discriminator", 0), ("generator", 0))

    def __init__(self, options, schema):
        self.sample_shape = tuple(schema.shape)
        self.latent = options.latent
        self.loss = LOSSES[options.loss]
        generator = options.generator.back(self.sample_shape)
        last = next((spec for spec in reversed(generator) if not isinstance(spec, MOVES)), None)
        self.units = Interval(schema, 0.0 if isinstance(last, Sigmoid) else -1.0, 1.0)
        self.networks = {
            "generator": build(generator, (self.latent,), self.sample_shape, "model.generator.layers"),
            "discriminator": build(
                options.discriminator.specs(self.sample_shape), self.sample_shape, (1,), "model.discriminator.layers"
            ),
        }
        statistics = {
            "discriminator": {"loss": (), "real_logit": (), "fake_logit": (), "count": ()},
            "generator": {"loss": (), "count": ()},
        }
        self.layouts = {
            player: Layout(self.networks[player].parameters(), self.networks[player].buffers(), statistics[player])
            for player in self.players
        }

    def initialize(self, player, theta, random):
        self.networks[player].initialize(theta, random)

    def noise(self, random, count):
        return normal(random, (count, self.latent))

    def gradient(self, player, theta, batch, grad):
        """Write the sums over one lane into `grad`: derivatives of the player's loss, and its statistics.

        The generator's step takes the samples that the discriminator's step of the same lane left in `batch.kept`, or makes
        them again: theta["generator"] has not moved, the bits are the same.
        """
        if "fake" not in batch.kept:
            batch.kept["fake"] = self._forward("generator", theta, batch.noise, batch.random, 0)
        fake, backward = batch.kept["fake"]
        if player == "generator":
            self._generator_gradient(theta, fake, backward, grad, batch.random)
        else:
            self._discriminator_gradient(theta, batch.samples, fake, grad, batch.random)
        grad["count"][...] = batch.size

    def _forward(self, player, theta, x, random, index, parts=1):
        network = self.networks[player]
        return network.forward(theta[player], x, Train(parts, random(index) if network.draws else None))

    def _discriminator_gradient(self, theta, real, fake, grad, random):
        """Real and generated samples pass in one batch, of which batch norm takes each half by itself."""
        n = len(real)
        logits, backward = self._forward("discriminator", theta, np.concatenate([real, fake]), random, 1, parts=2)
        real_loss, real_slope = self.loss.real(logits[:n])
        fake_loss, fake_slope = self.loss.fake(logits[n:])
        backward(np.concatenate([real_slope, fake_slope]), grad, need_dx=False)
        grad["loss"][...] = real_loss + fake_loss
        grad["real_logit"][...] = logits[:n].sum()
        grad["fake_logit"][...] = logits[n:].sum()

    def _generator_gradient(self, theta, fake, backward, grad, random):
        logits, discriminator_backward = self._forward("discriminator", theta, fake, random, 2)
        loss, slope = self.loss.generator(logits)
        backward(discriminator_backward(slope), grad, need_dx=False)
        grad["loss"][...] = loss

    def sample(self, theta, batch):
        """Return samples (size, *sample_shape) in `units`, made from the batch's noise (size, latent)."""
        return self.networks["generator"].forward(theta["generator"], batch.noise, train=None)[0]
