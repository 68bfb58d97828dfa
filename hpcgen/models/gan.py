"""Generative adversarial network (Goodfellow et al. 2014, arXiv:1406.2661)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from hpcgen.arrays import Array, uniform, zeros
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.models.batch import Batch
from hpcgen.models.model import Backward, Model, ModelOptions, Preset, Statistics, Theta
from hpcgen.models.networks.architectures import (
    Layers,
    Perceptron,
    PerceptronGenerator,
    Pyramid,
    PyramidGenerator,
)
from hpcgen.models.networks.building import build
from hpcgen.models.networks.specs import Sigmoid
from hpcgen.models.units import Interval
from hpcgen.nn.chain import Chain
from hpcgen.nn.divided import Gradient, stacked
from hpcgen.nn.layer import Backward as LayerBackward
from hpcgen.nn.layer import Train
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.nn.losses import LOSSES
from hpcgen.nn.penalty import gradient_penalty, require_second_derivatives
from hpcgen.settings import setting
from hpcgen.streams import normal


@dataclass(frozen=True)
class GANOptions(ModelOptions):
    """The [model] table for kind = "gan". `network` chooses the types of `generator` and `discriminator`."""

    latent: int = setting(100, ge=1, le=1_000_000, help="noise numbers from which a sample is made")
    loss: str = setting("non-saturating", choices=LOSSES, help="the adversarial loss")
    label_smoothing: float = setting(
        0.0,
        ge=0,
        lt=1,
        help="s: the discriminator's target for real samples is 1 - s (only for losses with targets)",
    )
    conditional: bool = setting(False, help="generate samples for given labels of the data")
    discriminator_steps: int = setting(
        1, ge=1, help="turns of the discriminator in a step, each on its own samples"
    )
    spectral_norm: bool = setting(
        False, help="normalise the weights of the discriminator by their spectral norm"
    )
    clip: float = setting(0.0, ge=0, help="largest absolute value of a discriminator parameter; 0: no bound")
    gradient_penalty: float = setting(
        0.0, ge=0, help='weight of (|grad D| - 1)^2, usually 10 with loss = "wasserstein"; 0: none'
    )
    generator: PerceptronGenerator | PyramidGenerator | Layers = field(kw_only=True)
    discriminator: Perceptron | Pyramid | Layers = field(kw_only=True)


PERCEPTRONS = {"generator": PerceptronGenerator, "discriminator": Perceptron}
PYRAMIDS = {"generator": PyramidGenerator, "discriminator": Pyramid}
LAYERS = {"generator": Layers, "discriminator": Layers}


def both(**keys: Any) -> dict[str, dict[str, Any]]:
    """Return the values of a preset that sets the same keys in both networks."""
    return {"generator": keys, "discriminator": keys}


# The first network is the default. P is the number of values in a sample.
NETWORKS = {
    # 100-256-512-P / P-512-256-1
    "mlpgan": Preset(
        GANOptions,
        PERCEPTRONS,
        {
            "generator": {"hidden": [256, 512]},
            "discriminator": {"hidden": [512, 256], "activation": "leaky-relu"},
        },
    ),
    # 100-128-P / P-128-1
    "seedgan": Preset(
        GANOptions,
        PERCEPTRONS,
        {"generator": {"hidden": [128], "output": "sigmoid"}, "discriminator": {"hidden": [128]}},
    ),
    # Dense 128, Dense 7x7x256, ConvT 128, ConvT 1 / Conv 64, Conv 128, Dense 1 for 28 x 28 x 1
    "dcgan28": Preset(
        GANOptions,
        PYRAMIDS,
        {
            "generator": {"hidden": [128], "width": 128, "normalization": False, "deviation": 0.0},
            "discriminator": {"activation": "relu", "width": 64, "normalization": False, "deviation": 0.0},
        },
    ),
    # Radford et al. 2015 (arXiv:1511.06434) for 64 x 64 x 3, with more or fewer stages at other sizes
    "dcgan64": Preset(GANOptions, PYRAMIDS),
    # The same for volumes, as in Wu et al. 2016 (arXiv:1610.07584)
    "dcgan3d": Preset(GANOptions, PYRAMIDS, both(axes=3)),
    # Donahue et al. 2018 (arXiv:1802.04208), without phase shuffle: kernel 25, stride 4
    "wavegan": Preset(
        GANOptions,
        PYRAMIDS,
        both(axes=1, kernel=25, stride=4, smallest=16, normalization=False, deviation=0.0),
    ),
    "layers": Preset(GANOptions, LAYERS),
}


class GAN(Model):
    """A generator makes samples from noise. A discriminator distinguishes real from generated samples.

    A step has `discriminator_steps` turns of the discriminator, each on its own samples and noise, then one
    turn of the generator. `clip` bounds the discriminator's parameters (Arjovsky et al. 2017,
    arXiv:1701.07875, algorithm 1). `gradient_penalty` is the weight of (|grad D| - 1)^2 between real and
    generated samples (Gulrajani et al. 2017, arXiv:1704.00028, eq. 3). `spectral_norm` divides the
    discriminator's weights by their spectral norm (Miyato et al. 2018, arXiv:1802.05957).

    The input of a conditional generator is the noise, followed by the one-hot label (Mirza & Osindero 2014,
    arXiv:1411.1784). The discriminator then has one logit for each label, and only the logit of the sample's
    label is used. The weights of each label in the last layer are the sum of both terms of Miyato & Koyama
    2018 (arXiv:1802.05637), eq. 4.
    """

    NETWORKS = NETWORKS
    players = ("discriminator", "generator")
    at_samples: ClassVar = {"discriminator": (True, False), "generator": (False, True)}
    networks: Mapping[str, Chain]

    def __init__(self, options: GANOptions, schema: Schema) -> None:
        super().__init__(options, schema)
        _check(options, schema)
        self.latent = options.latent
        self.classes = schema.classes if options.conditional else 0
        outputs = self.classes if options.conditional else 1
        last = options.discriminator_steps - 1
        self.turns = (*(("discriminator", draw) for draw in range(last + 1)), ("generator", last))
        self.loss = LOSSES[options.loss](options.label_smoothing)
        self.limits = {"discriminator": options.clip} if options.clip else {}
        self._penalty = options.gradient_penalty
        generator = options.generator.back(self.sample_shape)
        discriminator = options.discriminator.specs(self.sample_shape, outputs)
        ends = next((spec for spec in reversed(generator) if not spec.keeps_range), None)
        self.units = Interval(schema, 0.0 if isinstance(ends, Sigmoid) else -1.0, 1.0)
        start = (self.latent + self.classes,)
        self.networks = {
            "generator": build(generator, start, self.sample_shape, "model.generator.layers"),
            "discriminator": build(
                discriminator,
                self.sample_shape,
                (outputs,),
                "model.discriminator.layers",
                spectral=options.spectral_norm,
            ),
        }
        if self._penalty:
            require_second_derivatives(self.networks["discriminator"])
        if options.loss == "wasserstein":
            _require_bound(options, self.networks["discriminator"])
        slope = ("slope",) if self._penalty else ()
        self.statistics = {
            "discriminator": ("loss", "real_logit", "fake_logit", *slope, "count"),
            "generator": ("loss", "count"),
        }

    def noise(self, random: np.random.Generator, size: int) -> Array:
        return normal(random, (size, self.latent))

    def objective(self, player: str, theta: Theta, batch: Batch) -> tuple[Statistics, Backward]:
        """Return a player's statistics and backward on a batch.

        The generator's turn uses the samples that the discriminator's turn on the same batch left in
        `batch.kept`. If there are none, it computes them again. They have the same bits, because
        theta["generator"] has not changed since.
        """
        if "fake" not in batch.kept:
            batch.kept["fake"] = self._forward("generator", theta, self._code(batch), batch.random, 0)
        fake, backward = batch.kept["fake"]
        if player == "discriminator":
            return self._discriminator_objective(theta, batch, fake)
        return self._generator_objective(theta, batch, fake, backward)

    def _code(self, batch: Batch) -> Array:
        """Return the generator's input: the noise, and the label if the generator is conditional."""
        if not self.classes:
            return batch.noise
        return np.concatenate([batch.noise, self._one_hot(batch.labels, batch.noise.dtype)], axis=1)

    def _one_hot(self, labels: Array, dtype: np.dtype) -> Array:
        chosen = zeros((len(labels), self.classes), dtype)
        chosen[np.arange(len(labels), like=labels), labels] = 1
        return chosen

    def _forward(
        self, player: str, theta: Theta, x: Array, random: Any, index: int, parts: int = 1
    ) -> tuple[Array, LayerBackward]:
        network = self.networks[player]
        return network.forward(theta[player], x, Train(parts, random(index) if network.draws else None))

    def _logits(
        self, theta: Theta, x: Array, labels: Any, random: Any, index: int, parts: int = 1
    ) -> tuple[Array, LayerBackward]:
        """Return the discriminator's logits (n, 1) of samples with these labels, and its backward."""
        logits, backward = self._forward("discriminator", theta, x, random, index, parts)
        if not self.classes:
            return logits, backward
        chosen = self._one_hot(labels, logits.dtype)
        return (
            (logits * chosen).sum(1, keepdims=True),
            lambda dy, *rest, **options: backward(dy * chosen, *rest, **options),
        )

    def _discriminator_objective(
        self, theta: Theta, batch: Batch, fake: Array
    ) -> tuple[Statistics, Backward]:
        """Compute the objective on real and generated samples in one batch.

        Batch norm normalises each half separately.
        """
        n, both = batch.size, stacked(batch.samples, fake)
        labels = np.concatenate([batch.labels] * 2) if self.classes else None
        logits, logits_backward = self._logits(theta, both, labels, batch.random, 1, parts=2)
        real_loss, real_slope = self.loss.real(logits[:n])
        fake_loss, fake_slope = self.loss.fake(logits[n:])
        statistics = {
            "loss": real_loss + fake_loss,
            "real_logit": logits[:n].sum(),
            "fake_logit": logits[n:].sum(),
            "count": n,
        }

        def backward(grad: Gradient) -> None:
            logits_backward(np.concatenate([real_slope, fake_slope]), grad, need_dx=False)

        if not self._penalty:
            return statistics, backward
        penalty, statistics["slope"], second = self._gradient_penalty(theta, batch, fake)
        statistics["loss"] += penalty

        def backward_with_penalty(grad: Gradient) -> None:
            backward(grad)
            grad.add(second)

        return statistics, backward_with_penalty

    def _gradient_penalty(
        self, theta: Theta, batch: Batch, fake: Array
    ) -> tuple[np.floating, np.floating, Gradient]:
        """Return the penalty at a random point between each real and generated sample, the sum of the slopes,
        and the gradient of the penalty's derivatives, which are exact (`hpcgen.nn.penalty`)."""
        network, random = self.networks["discriminator"], batch.random
        assert random is not None, "a penalty draws"
        shape = (batch.size, *[1] * len(self.sample_shape))
        share = uniform(random(3), shape).astype(fake.dtype)
        between = fake + share * (batch.samples - fake)
        chosen = (
            self._one_hot(batch.labels, fake.dtype)
            if self.classes
            else zeros((batch.size, 1), fake.dtype) + 1
        )
        train = Train(random=random(4) if network.draws else None)
        second = network.gradient(theta["discriminator"].layout, fake.dtype)
        weight = self._penalty
        penalty, slopes = gradient_penalty(
            network, theta["discriminator"], between, chosen, weight, train, second
        )
        return penalty, slopes, second

    def _generator_objective(
        self, theta: Theta, batch: Batch, fake: Array, generator_backward: LayerBackward
    ) -> tuple[Statistics, Backward]:
        logits, discriminator_backward = self._logits(theta, fake, batch.labels, batch.random, 2)
        loss, slope = self.loss.generator(logits)

        def backward(grad: Gradient) -> None:
            generator_backward(discriminator_backward(slope), grad, need_dx=False)

        return {"loss": loss, "count": batch.size}, backward

    def sample(self, theta: Theta, batch: Batch) -> Array:
        """Return samples (size, *sample_shape) in `units`, made from the batch's noise (size, latent) and its
        labels."""
        return self.networks["generator"].forward(theta["generator"], self._code(batch), train=None)[0]


def _check(options: GANOptions, schema: Schema) -> None:
    """Raise InputError unless the keys of the objective suit each other and the data."""
    if options.label_smoothing and not LOSSES[options.loss].smooths:
        raise InputError(
            f'model.label_smoothing: model.loss = "{options.loss}" has no targets to smooth; leave it out'
        )
    if options.conditional and schema.classes < 2:
        raise InputError(
            "data.path: the data have no labels of two classes or more, which model.conditional = true needs"
        )


def _require_bound(options: GANOptions, discriminator: Chain) -> None:
    """Raise InputError unless the discriminator's slope is bounded, as the Wasserstein distance requires."""
    normalized = all(isinstance(layer, SpectralNorm) for layer in discriminator.layers if layer.parameters())
    if not (options.clip or options.gradient_penalty or (options.spectral_norm and normalized)):
        raise InputError(
            'model.loss = "wasserstein" needs a bound on the discriminator: set model.gradient_penalty = '
            "10.0 or model.clip = 0.01, or model.spectral_norm = true if only dense and convolutional layers "
            "have parameters"
        )
