"""Recurrent variational autoencoder of sequences (Bowman et al. 2015, arXiv:1511.06349)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from hpcgen.arrays import Array, from_host, uniform, zeros
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.models.batch import Batch, Streams
from hpcgen.models.latent import Autoencoder, LatentOptions
from hpcgen.models.model import Preset, Theta
from hpcgen.models.units import Interval, Tokens
from hpcgen.nn.chain import Chain
from hpcgen.nn.layer import Layer
from hpcgen.nn.layers.activations import Tanh
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.embedding import Embedding
from hpcgen.nn.layers.recurrent import GRU, LSTM
from hpcgen.nn.likelihoods import Categorical, Gaussian, LikelihoodOfElements
from hpcgen.nn.vector import Vector
from hpcgen.settings import setting

CELLS = {"gru": GRU, "lstm": LSTM}


@dataclass(frozen=True)
class RVAEOptions(LatentOptions):
    """The [model] table for kind = "rvae"."""

    cell: str = setting("gru", choices=CELLS, help="the recurrent layer")
    hidden: int = setting(256, ge=1, le=65_536, help="size of the hidden states")
    word_dropout: float = setting(
        0.0, ge=0, le=1, help="probability that an input of the decoder is replaced by a blank in training"
    )


@dataclass(frozen=True)
class TextRVAE(RVAEOptions):
    """The keys for network = "text"."""

    embedding: int = setting(64, ge=1, le=65_536, help="size of the vector that represents a token")


@dataclass(frozen=True)
class SequenceRVAE(RVAEOptions):
    """The keys for network = "sequence"."""

    sigma: float = setting(1.0, gt=0, help="standard deviation of a sample around the decoder's output")


class RVAE(Autoencoder):
    """A recurrent encoder and a recurrent decoder. The posterior is computed from the encoder's last state.

    The decoder's first hidden state is computed from the latent numbers z. At each time step the decoder
    takes z and the previous element. In training this is the element of the sample (teacher forcing). It is
    replaced by a blank with probability `word_dropout` (section 3.2).
    """

    # The first network is the default.
    NETWORKS: ClassVar = {
        "text": Preset(
            TextRVAE,
            values={"latent": 32, "hidden": 256, "embedding": 64, "word_dropout": 0.25, "kl_warmup": 1000},
        ),
        "sequence": Preset(SequenceRVAE, values={"latent": 16, "hidden": 128, "sigma": 0.1}),
    }
    players = ("rvae",)

    def __init__(self, options: RVAEOptions, schema: Schema) -> None:
        super().__init__(options, schema)
        self._elements = ELEMENTS[type(options)](options, schema)
        elements = self._elements
        self.units = elements.units
        self.likelihood: LikelihoodOfElements = elements.likelihood
        self._shape, self._dropout = tuple(schema.shape), options.word_dropout
        latent, hidden, cell = options.latent, options.hidden, CELLS[options.cell]
        self._encoder = cell("encoder/recurrent", elements.width, hidden)
        self._codes = Dense("encoder/codes", hidden, 2 * latent)
        self._start = Chain([Dense("decoder/start", latent, hidden), Tanh()])
        self._decoder = cell("decoder/recurrent", elements.width + latent, hidden)
        self._output = Dense("decoder/output", hidden, elements.outputs)
        self.networks = {
            **elements.networks,
            "encoder/recurrent": self._encoder,
            "encoder/codes": self._codes,
            "decoder/start": self._start,
            "decoder/recurrent": self._decoder,
            "decoder/output": self._output,
        }

    def encode(
        self, theta: Vector, x: Array, random: Streams | None
    ) -> tuple[Array, Callable[[Array, Vector], None]]:
        elements, elements_backward = self._elements.read(theta, x)
        hidden, recurrent_backward = self._encoder.forward(theta, elements)
        codes, codes_backward = self._codes.forward(theta, hidden[:, -1])

        def backward(dcodes: Array, grad: Vector) -> None:
            dhidden = np.zeros_like(hidden)
            dhidden[:, -1] = codes_backward(dcodes, grad)
            elements_backward(recurrent_backward(dhidden, grad), grad)

        return codes, backward

    def decode(
        self, theta: Vector, z: Array, x: Array, random: Streams | None
    ) -> tuple[np.floating, Callable[[Vector], Array]]:
        a, backward = self._decoded(theta, z, x, random)
        loss, slope = self.likelihood.loss(a, self._elements.targets(x))
        return loss, lambda grad: backward(slope, grad)

    def log_likelihood(self, theta: Theta, z: Array, x: Array) -> Array:
        a, _ = self._decoded(theta["rvae"], z, x, None)
        return -self.likelihood.terms(a, self._elements.targets(x)).reshape(len(x), -1).sum(1)

    def _decoded(
        self, theta: Vector, z: Array, x: Array, random: Streams | None
    ) -> tuple[Array, Callable[[Array, Vector], Array]]:
        """Return the likelihood's parameters (n, time, outputs) for the elements x, and the closure
        backward(da, grad) -> dz."""
        blank = uniform(random(0), x.shape[:2]) < self._dropout if random and self._dropout else None
        before, before_backward = self._elements.before(theta, x, blank)
        n, time, width = before.shape
        given = np.concatenate([before, np.broadcast_to(z[:, None], (n, time, z.shape[1]))], axis=2)
        start, start_backward = self._start.forward(theta, z)
        hidden, recurrent_backward = self._decoder.run(theta, given, start)
        a, output_backward = self._output.forward(theta, hidden.reshape(n * time, -1))

        def backward(da: Array, grad: Vector) -> Array:
            dhidden = output_backward(da.reshape(n * time, -1), grad).reshape(hidden.shape)
            dgiven, dstart = recurrent_backward(dhidden, grad, True)
            before_backward(dgiven[..., :width], grad)
            return dgiven[..., width:].sum(1) + start_backward(dstart, grad)

        return a.reshape(n, time, -1), backward

    def sample(self, theta: Theta, batch: Batch) -> Array:
        """Return samples (size, *sample_shape) in `units`, made element by element from the batch's noise
        (size, latent).

        Each element is drawn from the decoder's distribution. If the batch has no random stream, each element
        is the most likely one.
        """
        own, z = theta["rvae"], batch.noise
        random = batch.random(0) if batch.random else None
        state = self._decoder.start(self._start.forward(own, z)[0])
        before, drawn = self._elements.blanks(own, len(z)), []
        for _ in range(self._shape[0]):
            state = self._decoder.advance(own, np.concatenate([before, z], axis=1), state)
            drawn.append(self.likelihood.draw(self._output.forward(own, state[0])[0], random))
            before = self._elements.embedded(own, drawn[-1])
        return np.stack(drawn, axis=1).reshape(len(z), *self._shape)


class _Words:
    """Tokens (n, time). The encoder and the decoder each have an embedding. The decoder's embedding has an
    additional token, the blank."""

    def __init__(self, options: TextRVAE, schema: Schema) -> None:
        if schema.kind != "text":
            raise InputError(
                'model.network = "text" needs text, made by \'hpcgen prepare text\'; use "sequence" for '
                "numbers"
            )
        self.units, self.likelihood = Tokens(schema), Categorical()
        self._blank, self.width = len(schema.vocabulary), options.embedding
        self.outputs = self._blank
        self._read = Embedding("encoder/embedding", self._blank, self.width)
        self._written = Embedding("decoder/embedding", self._blank + 1, self.width)
        self.networks = {"encoder/embedding": self._read, "decoder/embedding": self._written}

    @staticmethod
    def targets(x: Array) -> Array:
        return x

    def read(self, theta: Vector, x: Array) -> tuple[Array, Callable[[Array, Vector], object]]:
        return self._read.forward(theta, x)

    def before(
        self, theta: Vector, x: Array, blank: Array | None
    ) -> tuple[Array, Callable[[Array, Vector], object]]:
        tokens = np.full_like(x, self._blank)
        tokens[:, 1:] = x[:, :-1]
        if blank is not None:
            tokens[blank] = self._blank
        return self._written.forward(theta, tokens)

    def blanks(self, theta: Vector, n: int) -> Array:
        return self.embedded(theta, from_host(np.full(n, self._blank)))

    def embedded(self, theta: Vector, tokens: Array) -> Array:
        return self._written.forward(theta, tokens)[0]


class _Numbers:
    """Real numbers (n, time) or (n, time, features), without an embedding. A blank is all zeros."""

    networks: Mapping[str, Layer] = MappingProxyType({})

    def __init__(self, options: SequenceRVAE, schema: Schema) -> None:
        self.likelihood = Gaussian(options.sigma)
        self.units = Interval(schema, *self.likelihood.range)
        if len(schema.shape) > 2:
            raise InputError(
                f"model.network: samples of {' x '.join(map(str, schema.shape))} are not sequences of numbers"
            )
        self._time, *features = schema.shape
        self.width = self.outputs = features[0] if features else 1

    def targets(self, x: Array) -> Array:
        return x.reshape(len(x), self._time, self.width)

    def read(self, theta: Vector, x: Array) -> tuple[Array, Callable[[Array, Vector], object]]:
        return self.targets(x), lambda dx, grad: None

    def before(
        self, theta: Vector, x: Array, blank: Array | None
    ) -> tuple[Array, Callable[[Array, Vector], object]]:
        values = np.zeros_like(x, shape=(len(x), self._time, self.width))
        values[:, 1:] = self.targets(x)[:, :-1]
        if blank is not None:
            values[blank] = 0
        return values, lambda dx, grad: None

    def blanks(self, theta: Vector, n: int) -> Array:
        return zeros((n, self.width))

    def embedded(self, theta: Vector, values: Array) -> Array:
        return values


ELEMENTS: dict[type, Callable[[Any, Schema], _Words | _Numbers]] = {TextRVAE: _Words, SequenceRVAE: _Numbers}
