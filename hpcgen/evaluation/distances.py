"""Distances between generated samples and real data."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from hpcgen.arrays import shown
from hpcgen.data.schema import Schema
from hpcgen.evaluation.features import Features
from hpcgen.evaluation.measure import Measure, Measures, Subject
from hpcgen.evaluation.reference import Reference
from hpcgen.metrics import coarse, frechet, kernel, neighbours, sliced, spectrum
from hpcgen.metrics.blocks import blocks, finite
from hpcgen.metrics.moments import Moments, merge
from hpcgen.metrics.pca import LARGEST_MATRIX, principal_components
from hpcgen.models.model import Model, Theta
from hpcgen.sampling.origins import samples_a_block
from hpcgen.sampling.plots import CHANNELS_BELOW
from hpcgen.streams import Purpose, stream

# Number of principal components along which samples are compared. They hold most of the variance of pictures,
# and their covariance matrix is small.
COMPONENTS = 64
# The most float64 numbers from which principal components are computed: 256 MiB.
COMPONENT_NUMBERS = 1 << 25
# The most numbers of a sample that are compared. Of more numbers, means are compared.
MOST_NUMBERS = COMPONENT_NUMBERS // (COMPONENTS + 1)
# The most features of a classifier that are compared directly, without principal components.
DIRECT_FEATURES = 512
# Number of random directions of the sliced Wasserstein distance.
DIRECTIONS = 256
# Number of parts into which the directions are cut. The ranks divide the parts.
DIRECTION_PARTS = 16

# A function (start, stop) that returns these samples of a set, (stop - start, *sample_shape).
Samples = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class _Set:
    """A set of n samples: features (n, d), their moments, the squared radii (n,) of their neighbourhoods, and
    the mean power spectrum of the samples."""

    features: np.ndarray
    moments: Moments
    radii: np.ndarray
    power: Any


class Distances(Measure):
    """Five distances between sets of features, and for fields the distance of their power spectra.

    Generated samples are compared with the reference. Another set of real data is compared with the same
    reference: its values are those that a perfect model would reach. If the data hold the true spectrum, the
    distance from it is given too.
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
        self._real = self._set(subject.reference.even, shared=False)
        self._true = _true_spectrum(subject.reference, self._real.power) if self._field else None
        if self._true is not None:
            self.names.append("log_spectral_distance_to_theory")
        self._known = self._compared(self._set(subject.reference.odd, shared=False))

    def measure(self, theta: Theta) -> Measures:
        generated = self._set(lambda start, stop: self._subject.generated(theta, start, stop))
        return {name: (value, self._known[name]) for name, value in self._compared(generated).items()}

    def _set(self, samples: Samples, shared: bool = True) -> _Set:
        """Return the set of all samples. `shared`: samples(start, stop) is collective over a model's team."""
        work, n = self._subject.work, self._subject.reference.count

        def reduced(some: slice) -> tuple[np.ndarray, Any]:
            rows = samples(some.start, some.stop)
            return self._features(rows), self._power(rows)

        # Samples are generated once, one block at a time, so that few are in memory.
        parts = blocks(n, samples_a_block(self._subject.reference.schema.shape))
        features, power = zip(*work.divided(parts, reduced, shared), strict=True)
        x = np.concatenate(features)
        radii = work.each(n, lambda block: neighbours.squared_radii(x[block], x, block.start), False)
        moments = work.total(n, lambda block: Moments.of(x[block]), lambda a, b: merge([a, b]), shared=False)
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

        estimates = work.divided(
            kernel.pairs(n, n), lambda pair: kernel.squared_mmd(x[pair[0]], y[pair[1]]), shared=False
        )
        precise = work.each(n, lambda block: neighbours.covered(y[block], x, real.radii), shared=False)
        recalled = work.each(n, lambda block: neighbours.covered(x[block], y, other.radii), shared=False)
        parts = np.split(self._directions, DIRECTION_PARTS)
        found = [
            frechet.distance(other.moments, real.moments),
            kernel.distance(estimates)[0],
            neighbours.share(precise),
            neighbours.share(recalled),
            float(np.mean(work.divided(parts, along, shared=False))),
        ]
        if self._field:
            found.append(spectrum.distance(other.power, real.power))
        if self._true is not None:
            found.append(spectrum.distance(other.power, self._true))
        return dict(zip(self.names, found, strict=True))


def _space(subject: Subject) -> tuple[Callable[[np.ndarray], np.ndarray], str, int]:
    """Return features(samples) -> (n, d), their description, and d.

    A few features of a classifier are compared directly. Many features, and pixels, are replaced by their
    coordinates along the principal components of the reference, and by their distance from the span of the
    components.
    """
    reference, features = subject.reference, subject.features
    numbers, name, width = _numbers(subject, features)
    if features and width <= DIRECT_FEATURES:
        return numbers, name, width
    rows = min(reference.count, LARGEST_MATRIX, max(COMPONENTS + 1, COMPONENT_NUMBERS // width))

    def known() -> np.ndarray:
        """Return the numbers of the reference, from a block of its samples at a time."""
        parts = blocks(rows, samples_a_block(reference.schema.shape))
        return np.concatenate([numbers(reference.even(part.start, part.stop)) for part in parts])

    components = subject.work.once(lambda: principal_components(known(), COMPONENTS))

    def project(samples: np.ndarray) -> np.ndarray:
        x = numbers(samples)
        along = components.project(x)
        # The length of the part outside the span, by Pythagoras.
        outside = np.square(x - components.mean).sum(1) - np.square(along).sum(1)
        return np.column_stack([along, np.sqrt(np.maximum(outside, 0))])

    count = len(components.axes)
    about = f"{count} principal components of the {name}, and the distance from their span"
    return project, about, count + 1


def _numbers(
    subject: Subject, features: Features | None
) -> tuple[Callable[[np.ndarray], np.ndarray], str, int]:
    """Return the function numbers(samples) -> (n, d) whose results are compared, their name, and d."""
    if features:
        return features.of, f"features of {features.path}", features.width
    unit, schema = subject.reference.unit, subject.reference.schema
    *sizes, channels = _field(schema) or (*schema.shape, 1)
    box = coarse.box_of(sizes, max(1, MOST_NUMBERS // channels))

    def numbers(samples: np.ndarray) -> np.ndarray:
        x = unit(samples).reshape(len(samples), *sizes, channels)
        return coarse.means(x, box).reshape(len(samples), -1)

    name = "pixels" if schema.kind == "image" else "numbers"
    if max(box) > 1:
        name = f"means of {shown(box)} {name}"
    return numbers, name, channels * prod(-(-size // n) for size, n in zip(sizes, box, strict=True))


def _true_spectrum(reference: Reference, power: np.ndarray) -> np.ndarray | None:
    """Return the true spectrum (bins,) in the units of `reference.unit`, or None unless the data hold one
    with the bins of `power`."""
    true = reference.constant("spectrum")
    if true is None or true.shape != power.shape:
        return None
    return finite(true) / (reference.schema.high - reference.schema.low) ** 2


def _field(schema: Schema) -> tuple[int, ...] | None:
    """Return the shape (*sizes, channels) of samples that are fields, or None for other samples."""
    channels = schema.kind == "image" or (len(schema.shape) > 1 and schema.shape[-1] < CHANNELS_BELOW)
    shape = tuple(schema.shape) if channels else (*schema.shape, 1)
    return shape if 2 <= len(shape) <= 4 and min(shape[:-1]) > 1 else None
