"""Lower bounds of the likelihood of samples under an autoencoder."""

from collections.abc import Callable
from math import prod

import numpy as np

from hpcgen.arrays import to_host
from hpcgen.data.schema import Schema
from hpcgen.evaluation.measure import Measure, Measures, Subject
from hpcgen.models.latent import Autoencoder
from hpcgen.models.model import Model, Theta
from hpcgen.streams import Purpose, normal, stream

# How often the latent numbers of a sample are drawn. The importance weighted bound grows with this number.
DRAWS = 32


class Bounds(Measure):
    """Lower bounds of log p(x) in nats per sample: `elbo`, and the tighter `iwae` (`Autoencoder.bounds`).

    They are computed for generated samples and for real data. If the model fits the data, both have similar
    values. For text the second bound is also given in bits per character.
    """

    columns = ("generated", "real data")
    draws = True

    @staticmethod
    def serves(model: Model, schema: Schema) -> bool:
        return isinstance(model, Autoencoder)

    def __init__(self, subject: Subject) -> None:
        assert isinstance(subject.model, Autoencoder)
        self._subject, self._model = subject, subject.model
        self.about = f"{subject.reference.count:,} samples, {DRAWS} draws of the latent numbers"
        self.names = ["elbo", "iwae"]
        if subject.reference.schema.kind == "text":
            self.names.append("bits_a_character")

    def measure(self, theta: Theta) -> Measures:
        subject = self._subject
        generated = self._bounds(theta, lambda start, stop: subject.generated(theta, start, stop))
        real = self._bounds(theta, subject.reference.odd)
        found = dict(zip(("elbo", "iwae"), zip(generated, real, strict=True), strict=True))
        if "bits_a_character" in self.names:
            per_character = -1 / (np.log(2) * prod(subject.reference.schema.shape))
            found["bits_a_character"] = (per_character * found["iwae"][0], per_character * found["iwae"][1])
        return found

    def _bounds(self, theta: Theta, samples: Callable[[int, int], np.ndarray]) -> tuple[float, float]:
        """Return the means of both bounds over a set of samples."""
        model, count = self._model, self._subject.reference.count

        def sums(block: slice) -> np.ndarray:
            rows = samples(block.start, block.stop)
            x, size = model.batch(len(rows), samples=rows).samples, (len(rows), model.posterior.size)
            draws = (
                normal(stream(self._subject.seed, Purpose.EVALUATE, block.start, part=1 + draw), size)
                for draw in range(DRAWS)
            )
            return np.array([to_host(bound).sum() for bound in model.bounds(theta, x, draws)])

        size = self._subject.reference.rows_a_block
        elbo, iwae = (self._subject.work.total(count, sums, size=size) / count).tolist()
        return elbo, iwae
