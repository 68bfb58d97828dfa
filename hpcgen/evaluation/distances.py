"""Distances between generated samples and real data."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from hpcgen.data.schema import Schema
from hpcgen.evaluation.features import Features
from hpcgen.evaluation.measure import Measure, Measures, Subject
from hpcgen.metrics import frechet, kernel, neighbours, sliced, spectrum
from hpcgen.metrics.blocks import blocks
from hpcgen.metrics.moments import Moments, merge
from hpcgen.metrics.pca import LARGEST_MATRIX, principal_components
from hpcgen.models.model import Model, Theta
from hpcgen.sampling.origins import SAMPLES_A_BLOCK
from hpcgen.sampling.plots import CHANNELS_BELOW
from hpcgen.streams import Purpose, stream

# Principal components that samples are compared along. Their covariances stay small, and most of the
# variance of pictures lies along them.
COMPONENTS = 64
# The most numbers, in float64, that principal components are computed from: 256 MiB.
COMPONENT_NUMBERS = 1 << 25
# The most features of a classifier that are compared directly, not along principal components.
DIRECT_FEATURES = 512
# Random directions of the sliced Wasserstein distance.
DIRECTIONS = 256
# Parts of the directions, which the ranks divide.
DIRECTION_PARTS = 16

# Samples [start, stop) of a set, (stop - start, *sample_shape).
Samples = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class _Set:
    """A set of n samples: features (n, d), their moments, the squared radii (n,) of their neighbourhoods, and
    the mean power spectrum."""

    features: np.ndarray
    moments: Moments
    radii: np.ndarray
    power: Any


class Distances(Measure):
    """Five distances between sets of features, and for fields the distance of their power spectra.

    The set of generated samples is compared with the reference. Beside it stands another set of real data
    compared with the same reference: the values that a perfect model would reach.
    """

    columns = ("generated", "real data")
    draws = True
    takes_features = True

    @staticmethod
    def serves(model: Model, schema: Schema) -> bool:
        return model.source == "noise" and schema.kind != "text"

    def __init__(self, subject: Subject) -> None:
        self._subject, self._field = subject, _field(subject.reference.schema)
        self.names = ["frechet_distance", "kernel_distance", "precision", "recall", "sliced_wasserstein"]
        if self._field:
            self.names.append("log_spectral_distance")
        self._features, space, width = _space(subject)
        self.about = f"{subject.reference.count:,} samples, {space}"
        random = stream(subject.seed, Purpose.EVALUATE)
        self._directions = sliced.directions(random, DIRECTIONS, width)
        self._real = self._set(subject.reference.even)
        self._known = self._compared(self._set(subject.reference.odd))

    def measure(self, theta: Theta) -> Measures:
        generated = self._set(lambda start, stop: self._subject.generated(theta, start, stop))
        return {name: (value, self._known[name]) for name, value in self._compared(generated).items()}

    def _set(self, samples: Samples) -> _Set:
        work, n = self._subject.work, self._subject.reference.count

        def reduced(some: slice) -> tuple[np.ndarray, Any]:
            rows = samples(some.start, some.stop)
            return self._features(rows), self._power(rows)

        # A block of generated samples at a time: none is made twice, and few are held.
        parts = [slice(i, min(i + SAMPLES_A_BLOCK, n)) for i in range(0, n, SAMPLES_A_BLOCK)]
        features, power = zip(*work.divided(parts, reduced), strict=True)
        x = np.concatenate(features)
        radii = work.each(n, lambda block: neighbours.squared_radii(x[block], x, block.start))
        moments = work.total(n, lambda block: Moments.of(x[block]), lambda a, b: merge([a, b]))
        return _Set(x, moments, np.concatenate(radii), spectrum.mean(power, n))

    def _power(self, rows: np.ndarray) -> Any:
        """Return the summed power spectrum (bins,) of samples that are fields, 0 for others."""
        if not self._field:
            return 0.0
        return spectrum.radial_power(self._subject.reference.unit(rows).reshape(len(rows), *self._field))

    def _compared(self, other: _Set) -> dict[str, float]:
        """Return the distances of a set from the reference."""
        work, n, real = self._subject.work, self._subject.reference.count, self._real
        x, y = real.features, other.features

        def along(directions: np.ndarray) -> float:
            projected = [
                np.concatenate([sliced.project(z[block], directions) for block in blocks(n)]) for z in (x, y)
            ]
            return sliced.distance(*projected)

        estimates = work.divided(kernel.pairs(n, n), lambda pair: kernel.squared_mmd(x[pair[0]], y[pair[1]]))
        precise = work.each(n, lambda block: neighbours.covered(y[block], x, real.radii))
        recalled = work.each(n, lambda block: neighbours.covered(x[block], y, other.radii))
        found = [
            frechet.distance(other.moments, real.moments),
            kernel.distance(estimates)[0],
            neighbours.share(precise),
            neighbours.share(recalled),
            float(np.mean(work.divided(np.split(self._directions, DIRECTION_PARTS), along))),
        ]
        if self._field:
            found.append(spectrum.distance(other.power, real.power))
        return dict(zip(self.names, found, strict=True))


def _space(subject: Subject) -> tuple[Callable[[np.ndarray], np.ndarray], str, int]:
    """Return features(samples) -> (n, d), their description, and d.

    The features of a classifier are compared directly if they are few. Many features, and pixels, are
    replaced by their coordinates along principal components of the reference, and their distance from the
    span of these.
    """
    reference, features = subject.reference, subject.features
    numbers, name, width = _numbers(subject, features)
    if features and width <= DIRECT_FEATURES:
        return numbers, name, width
    rows = min(reference.count, LARGEST_MATRIX, max(COMPONENTS + 1, COMPONENT_NUMBERS // width))
    components = subject.work.once(lambda: principal_components(numbers(reference.even(0, rows)), COMPONENTS))

    def project(samples: np.ndarray) -> np.ndarray:
        x = numbers(samples)
        along = components.project(x)
        # Pythagoras: the part outside the span has no coordinates, but a length.
        outside = np.square(x - components.mean).sum(1) - np.square(along).sum(1)
        return np.column_stack([along, np.sqrt(np.maximum(outside, 0))])

    count = len(components.axes)
    about = f"{count} principal components of the {name}, and the distance from these"
    return project, about, count + 1


def _numbers(
    subject: Subject, features: Features | None
) -> tuple[Callable[[np.ndarray], np.ndarray], str, int]:
    """Return numbers(samples) -> (n, d) that are compared, their name, and d."""
    if features:
        return features.of, f"features of {features.path}", features.width
    unit, schema = subject.reference.unit, subject.reference.schema
    name = "pixels" if schema.kind == "image" else "numbers"
    return lambda samples: unit(samples).reshape(len(samples), -1), name, prod(schema.shape)


def _field(schema: Schema) -> tuple[int, ...] | None:
    """Return the shape (*sizes, channels) of samples that are fields; None for other samples."""
    channels = schema.kind == "image" or (len(schema.shape) > 1 and schema.shape[-1] < CHANNELS_BELOW)
    shape = tuple(schema.shape) if channels else (*schema.shape, 1)
    return shape if 2 <= len(shape) <= 4 and min(shape[:-1]) > 1 else None
