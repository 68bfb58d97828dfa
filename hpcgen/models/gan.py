"""Generative adversarial network (Goodfellow et al. 2014, arXiv:1406.2661)."""

from dataclasses import dataclass

import numpy as np

from hpcgen.errors import InputError
from hpcgen.models.model import Model
from hpcgen.models.networks.architectures import (
    Layers,
    Perceptron,
    PerceptronGenerator,
    Pyramid,
    PyramidGenerator,
)
from hpcgen.models.networks.specs import MOVES, Sigmoid, build
from hpcgen.models.units import Interval
from hpcgen.nn.layer import Train
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.nn.losses import LOSSES
from hpcgen.nn.penalty import gradient_penalty, require_second_derivatives
from hpcgen.nn.vector import Layout, Vector
from hpcgen.settings import setting
from hpcgen.streams import normal


@dataclass(frozen=True)
class GANOptions:
    """The run file's [model] table for kind = "gan"; the two networks' tables follow from `network`."""

    kind: str = setting("gan", choices=("gan",))
    network: str = "mlpgan"
    latent: int = setting(100, ge=1, le=1_000_000)
    loss: str = setting("non-saturating", choices=LOSSES)
    label_smoothing: float = setting(0.0, ge=0, lt=1)
    conditional: bool = False
    discriminator_steps: int = setting(1, ge=1)
    spectral_norm: bool = False
    clip: float = setting(0.0, ge=0)
    gradient_penalty: float = setting(0.0, ge=0)


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
        {
            "generator": {"hidden": [256, 512]},
            "discriminator": {"hidden": [512, 256], "activation": "leaky-relu"},
        },
    ),
    # 100-128-P / P-128-1
    "seedgan": (
        PerceptronGAN,
        {"generator": {"hidden": [128], "output": "sigmoid"}, "discriminator": {"hidden": [128]}},
    ),
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
    "wavegan": (
        ConvolutionalGAN,
        both(axes=1, kernel=25, stride=4, smallest=16, normalization=False, deviation=0.0),
    ),
    "layers": (LayeredGAN, {}),
}


class GAN(Model):
    """A generator of samples from noise, and a discriminator whose logit tells real samples from generated ones.

    A step has `discriminator_steps` turns of the discriminator, each on samples and noise of its own, then one of the
    generator. `clip` bounds the discriminator's parameters (Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1),
    `gradient_penalty` is the weight of (|grad D| - 1)^2 between real and generated samples (Gulrajani et al. 2017,
    arXiv:1704.00028, eq. 3), `spectral_norm` divides the discriminator's weights by their norm (Miyato et al. 2018,
    arXiv:1802.05957). If `conditional`, the generator is given the label, one-hot, after the noise (Mirza & Osindero 2014,
    arXiv:1411.1784), and the discriminator has a logit a label, of which the sample's counts: its last layer has a row of
    weights a label, the sum of both terms of Miyato & Koyama 2018 (arXiv:1802.05637), eq. 4.
    """

    NETWORKS = NETWORKS
    players = ("discriminator", "generator")

    def __init__(self, options, schema):
        _check(options, schema)
        self.sample_shape, self.latent = tuple(schema.shape), options.latent
        self.classes = schema.classes if options.conditional else 0
        last = options.discriminator_steps - 1
        self.turns = (*(("discriminator", draw) for draw in range(last + 1)), ("generator", last))
        loss = LOSSES[options.loss]
        self.loss = loss(options.label_smoothing) if loss.smooths else loss()
        self.limits = {"discriminator": options.clip} if options.clip else {}
        self._penalty = options.gradient_penalty
        generator = options.generator.back(self.sample_shape)
        discriminator = options.discriminator.specs(self.sample_shape, self.classes or 1)
        ends = next((spec for spec in reversed(generator) if not isinstance(spec, MOVES)), None)
        self.units = Interval(schema, 0.0 if isinstance(ends, Sigmoid) else -1.0, 1.0)
        start, logits = (self.latent + self.classes,), (self.classes or 1,)
        self.networks = {
            "generator": build(generator, start, self.sample_shape, "model.generator.layers"),
            "discriminator": build(
                discriminator,
                self.sample_shape,
                logits,
                "model.discriminator.layers",
                spectral=options.spectral_norm,
            ),
        }
        if self._penalty:
            require_second_derivatives(self.networks["discriminator"])
        if options.loss == "wasserstein":
            _require_bound(options, self.networks["discriminator"])
        statistics = {"loss": (), "real_logit": (), "fake_logit": ()} | (
            {"slope": ()} if self._penalty else {}
        )
        statistics = {"discriminator": statistics | {"count": ()}, "generator": {"loss": (), "count": ()}}
        self.layouts = {
            player: Layout(
                self.networks[player].parameters(), self.networks[player].buffers(), statistics[player]
            )
            for player in self.players
        }

    def initialize(self, player, theta, random):
        self.networks[player].initialize(theta, random)

    def noise(self, random, size):
        return normal(random, (size, self.latent))

    def gradient(self, player, theta, batch, grad):
        """Write the sums over one lane into `grad`: derivatives of the player's loss, and its statistics.

        The generator's turn takes the samples that the discriminator's of the same lane left in `batch.kept`, or makes them
        again: theta["generator"] has not moved, the bits are the same.
        """
        if "fake" not in batch.kept:
            batch.kept["fake"] = self._forward("generator", theta, self._code(batch), batch.random, 0)
        fake, backward = batch.kept["fake"]
        gradients = {"generator": self._generator_gradient, "discriminator": self._discriminator_gradient}
        gradients[player](theta, batch, fake, backward, grad)
        grad["count"][...] = batch.size

    def _code(self, batch):
        """Return what the generator is given: the noise, and for a conditional one the label."""
        if not self.classes:
            return batch.noise
        return np.concatenate([batch.noise, self._one_hot(batch.labels, batch.noise.dtype)], axis=1)

    def _one_hot(self, labels, dtype):
        chosen = np.zeros((len(labels), self.classes), dtype)
        chosen[np.arange(len(labels)), labels] = 1
        return chosen

    def _forward(self, player, theta, x, random, index, parts=1):
        network = self.networks[player]
        return network.forward(theta[player], x, Train(parts, random(index) if network.draws else None))

    def _logits(self, theta, x, labels, random, index, parts=1):
        """Return the discriminator's logits (n, 1) of samples with these labels, and its backward."""
        logits, backward = self._forward("discriminator", theta, x, random, index, parts)
        if not self.classes:
            return logits, backward
        chosen = self._one_hot(labels, logits.dtype)
        return (logits * chosen).sum(1, keepdims=True), lambda dy, *rest, **options: backward(
            dy * chosen, *rest, **options
        )

    def _discriminator_gradient(self, theta, batch, fake, _, grad):
        """Real and generated samples pass in one batch, of which batch norm takes each half by itself."""
        n, both = batch.size, np.concatenate([batch.samples, fake])
        labels = np.concatenate([batch.labels] * 2) if self.classes else None
        logits, backward = self._logits(theta, both, labels, batch.random, 1, parts=2)
        real_loss, real_slope = self.loss.real(logits[:n])
        fake_loss, fake_slope = self.loss.fake(logits[n:])
        backward(np.concatenate([real_slope, fake_slope]), grad, need_dx=False)
        grad["loss"][...] = real_loss + fake_loss
        grad["real_logit"][...] = logits[:n].sum()
        grad["fake_logit"][...] = logits[n:].sum()
        if self._penalty:
            self._add_penalty(theta, batch, fake, grad)

    def _add_penalty(self, theta, batch, fake, grad):
        """Add the gradient penalty and its derivatives, which `nn.penalty` takes exactly, at a random point between each real
        and generated sample."""
        network, random = self.networks["discriminator"], batch.random
        share = (
            random(3).random((batch.size, *[1] * len(self.sample_shape)), dtype=np.float32).astype(fake.dtype)
        )
        between = fake + share * (batch.samples - fake)
        chosen = (
            self._one_hot(batch.labels, fake.dtype) if self.classes else np.ones((batch.size, 1), fake.dtype)
        )
        train = Train(random=random(4) if network.draws else None)
        second = Vector(grad.layout, dtype=grad.data.dtype)
        penalty, slopes = gradient_penalty(
            network, theta["discriminator"], between, chosen, self._penalty, train, second
        )
        grad.data[grad.layout.parameters] += second.data[grad.layout.parameters]
        grad["loss"][...] += penalty
        grad["slope"][...] = slopes

    def _generator_gradient(self, theta, batch, fake, backward, grad):
        logits, discriminator_backward = self._logits(theta, fake, batch.labels, batch.random, 2)
        loss, slope = self.loss.generator(logits)
        backward(discriminator_backward(slope), grad, need_dx=False)
        grad["loss"][...] = loss

    def sample(self, theta, batch):
        """Return samples (size, *sample_shape) in `units`, made from the batch's noise (size, latent), and labels."""
        return self.networks["generator"].forward(theta["generator"], self._code(batch), train=None)[0]


def _check(options, schema):
    """Raise InputError unless the objective's keys fit each other and the data."""
    if options.label_smoothing and not LOSSES[options.loss].smooths:
        raise InputError(
            f'model.label_smoothing: model.loss = "{options.loss}" has no targets to smooth; leave it out'
        )
    if options.conditional and schema.classes < 2:
        raise InputError(
            "data.path: the data have no labels of two classes or more, which model.conditional = true needs"
        )


def _require_bound(options, discriminator):
    """Raise InputError unless something bounds the discriminator's slope, as the Wasserstein distance demands."""
    normalized = all(isinstance(layer, SpectralNorm) for layer in discriminator.layers if layer.parameters())
    if not (options.clip or options.gradient_penalty or options.spectral_norm and normalized):
        raise InputError(
            'model.loss = "wasserstein" needs a bound of the discriminator: set model.gradient_penalty = 10.0 or '
            "model.clip = 0.01, or model.spectral_norm = true where no layer but dense ones and convolutions has parameters"
        )
