"""The figures of each kind of model, and what each stands beside.

A group is made for an `Evaluation`, and has `columns` (what its two values are of), `names`, `about`, and
`figures(theta)`, {name: (value, value of the other)}. `serves(evaluation)` tells which models have it.
"""

from math import prod
from typing import Any

import numpy as np

from hpcgen.checkpoints.loading import load
from hpcgen.errors import InputError
from hpcgen.metrics import frechet, kernel, neighbours, sliced, spectrum
from hpcgen.metrics.blocks import blocks
from hpcgen.metrics.least_squares import fit
from hpcgen.metrics.moments import Moments, merge
from hpcgen.metrics.pca import LARGEST, principal_components
from hpcgen.models.classifier import Classifier
from hpcgen.models.latent import Autoencoder
from hpcgen.models.linear import LinearGenerator
from hpcgen.models.regressor import Regressor
from hpcgen.nn.likelihoods import Categorical
from hpcgen.runtime import one_blas_thread
from hpcgen.sampling.origins import model_of
from hpcgen.sampling.plots import MOST_CHANNELS
from hpcgen.streams import Purpose, normal, stream

# Principal components of the pixels along which distances are taken.
COMPONENTS = 64
# Random directions of the sliced Wasserstein distance.
DIRECTIONS = 256
# Parts of the directions, which ranks divide.
DIRECTION_PARTS = 16
# Draws of the latent numbers for the importance weighted bound.
DRAWS = 32
# Samples that are measured at a time.
SAMPLES_AT_A_TIME = 64
# The most numbers that principal components are taken from: 256 MiB in float64.
MOST_COMPONENT_NUMBERS = 1 << 25
# The most features that are compared as they are; of more, principal components are compared.
MOST_PLAIN_FEATURES = 512


class Features:
    """The last hidden layer of a classifier that hpcgen trained: features(samples of a data file) -> (n,
    width)."""

    def __init__(self, path):
        state = load(path, optimizer=False)
        model = model_of(state)
        if not isinstance(model, Classifier):
            raise InputError(f'{state.path}: --features needs a checkpoint of model.kind = "classifier"')
        self.model, self.state = model, state

    def require(self, schema):
        """Raise InputError unless samples of this kind are what it classifies."""
        if (self.state.schema.shape, self.state.schema.dtype) != (schema.shape, schema.dtype):
            raise InputError(f"{self.state.path}: classifies samples of another shape or type than these")

    @property
    def width(self):
        """The number of features."""
        return self.features(np.zeros((1, *self.state.schema.shape), self.state.schema.dtype)).shape[1]

    def features(self, samples):
        return self.model.features(self.state.sampled, self.model.batch(len(samples), samples=samples))


class Distances:
    """Generated samples against the reference, beside other data against the reference."""

    columns = ("generated", "real data")

    @staticmethod
    def serves(of):
        return of.model.source == "noise" and of.schema.kind != "text"

    def __init__(self, evaluation):
        of, n = evaluation, evaluation.count
        self._of, self._fields = of, _fields(of.schema)
        self.names = [
            *("frechet_distance", "kernel_distance", "precision", "recall", "sliced_wasserstein"),
            *(["log_spectral_distance"] if self._fields else []),
        ]
        with one_blas_thread():
            self._features, space = self._space(of.classifier)
            self.about = f"{n:,} samples, {space}"
            self._directions: Any = None
            self._reference = self._measured(of.rows_of(other=False))
            self._data = self._compared(self._measured(of.rows_of(other=True)))

    def measures(self, theta):
        mine = self._compared(self._measured(lambda start, stop: self._of.generated(theta, start, stop)))
        return {name: (mine[name], self._data[name]) for name in mine}

    def _space(self, classifier):
        """Return features(samples) -> (n, d), and what they are: a classifier's, or where these are many, and
        of pixels, their coordinates along principal components of the reference, and their distance from
        these components' span."""
        of = self._of
        name, width = "pixels" if of.schema.kind == "image" else "numbers", prod(of.schema.shape)

        def flat(samples):
            return of.unit(samples).reshape(len(samples), -1)

        if classifier:
            flat, name, width = classifier.features, f"features of {classifier.state.path}", classifier.width
            if width <= MOST_PLAIN_FEATURES:
                return flat, name
        rows = min(of.count, LARGEST, max(COMPONENTS + 1, MOST_COMPONENT_NUMBERS // width))

        def components():
            return principal_components(flat(of.rows_of(other=False)(0, rows)), COMPONENTS)

        found = of.once(components)

        def project(samples):
            x = flat(samples)
            along = found.project(x)
            # Pythagoras: what lies outside the span has no coordinate, but a length.
            beside = np.square(x - found.mean).sum(1) - np.square(along).sum(1)
            return np.column_stack([along, np.sqrt(np.maximum(beside, 0))])

        return project, f"{len(found.axes)} principal components of the {name}, and the distance from these"

    def _measured(self, samples):
        """Return the features (n, d) of all samples(start, stop), their moments, radii, projections and
        spectrum."""
        of, n = self._of, self._of.count

        def of_some(some):
            rows = samples(some.start, some.stop)
            power = (
                spectrum.radial_power(of.unit(rows).reshape(len(rows), *self._fields))
                if self._fields
                else 0.0
            )
            return self._features(rows), power

        features, power = zip(
            *of.divided(
                [slice(i, min(i + SAMPLES_AT_A_TIME, n)) for i in range(0, n, SAMPLES_AT_A_TIME)], of_some
            ),
            strict=True,
        )
        x = np.concatenate(features)
        if self._directions is None:
            self._directions = sliced.directions(stream(of.seed, Purpose.EVALUATE), DIRECTIONS, x.shape[1])
        return {
            "x": x,
            "moments": of.total(n, lambda block: Moments.of(x[block]), lambda a, b: merge([a, b])),
            "radii": np.concatenate(
                of.each(n, lambda block: neighbours.squared_radii(x[block], x, block.start))
            ),
            "power": spectrum.mean(power, n),
        }

    def _compared(self, mine):
        """Return the figures of what was measured, against the reference."""
        of, n, real = self._of, self._of.count, self._reference
        x, y = real["x"], mine["x"]

        def along(part):
            projected = [
                np.concatenate([sliced.project(z[block], part) for block in blocks(n)]) for z in (x, y)
            ]
            return sliced.distance(*projected)

        estimates = of.divided(kernel.pairs(n, n), lambda pair: kernel.squared_mmd(x[pair[0]], y[pair[1]]))
        found = [
            frechet.distance(mine["moments"], real["moments"]),
            kernel.distance(estimates)[0],
            neighbours.share(of.each(n, lambda block: neighbours.covered(y[block], x, real["radii"]))),
            neighbours.share(of.each(n, lambda block: neighbours.covered(x[block], y, mine["radii"]))),
            float(np.mean(of.divided(np.split(self._directions, DIRECTION_PARTS), along))),
        ]
        if self._fields:
            found.append(spectrum.distance(mine["power"], real["power"]))
        return dict(zip(self.names, found, strict=True))


def _fields(schema):
    """Return the shape (*sizes, channels) of samples that are fields, or None."""
    channels = schema.kind == "image" or (len(schema.shape) > 1 and schema.shape[-1] < MOST_CHANNELS)
    shape = schema.shape if channels else (*schema.shape, 1)
    return shape if 2 <= len(shape) <= 4 and min(shape[:-1]) > 1 else None


class Bounds:
    """Lower bounds of log p(x) in nats a sample, of data and of the model's samples: where the model fits,
    these are alike."""

    columns = ("generated", "real data")

    @staticmethod
    def serves(of):
        return isinstance(of.model, Autoencoder)

    def __init__(self, evaluation):
        self._of, self.about = (
            evaluation,
            f"{evaluation.count:,} samples, {DRAWS} draws of the latent numbers",
        )
        self.names = ["elbo", "iwae", *(["bits_a_character"] if evaluation.schema.kind == "text" else [])]

    def measures(self, theta):
        of = self._of
        sets = (lambda start, stop: of.generated(theta, start, stop), of.rows_of(other=True))
        pairs = [self._bounds(theta, samples) for samples in sets]
        found = {name: tuple(pair[i] for pair in pairs) for i, name in enumerate(("elbo", "iwae"))}
        if "bits_a_character" in self.names:
            per_character = -1 / (np.log(2) * prod(of.schema.shape))
            found["bits_a_character"] = tuple(per_character * value for value in found["iwae"])
        return found

    def _bounds(self, theta, samples):
        of = self._of

        def sums(block):
            taken = samples(block.start, block.stop)
            x = of.model.batch(len(taken), samples=taken).samples
            size = (len(x), of.model.posterior.size)
            draws = (
                normal(stream(of.seed, Purpose.EVALUATE, block.start, part=1 + i), size) for i in range(DRAWS)
            )
            return np.array([bound.sum() for bound in of.model.bounds(theta, x, draws)])

        return (of.total(of.count, sums) / of.count).tolist()


class Coefficients:
    """The linear generator's parameters beside the closed form of all rows, least squares.

    The largest errors of theta and of the noise's deviation in units of the columns' root mean squares; that
    of theta as it is where the data hold the true one.
    """

    columns = ("model", "least squares")

    @staticmethod
    def serves(of):
        return isinstance(of.model, LinearGenerator)

    def __init__(self, evaluation):
        of = self._of = evaluation
        of.require("inputs")
        self.about = f"{of.files.rows:,} rows"
        *self._fitted, self._noise = fit(_moments(of), of.files.width("inputs"), of.model.intercept)
        true = of.files.constant("theta")
        self._true = true if true is not None and true.shape == self._fitted[0].shape else None
        known = [] if self._true is None else ["theta_error"]
        self.names = ["theta_error_to_least_squares", "noise_error_to_least_squares", *known]

    def measures(self, theta):
        slope, constants, noise = self._of.model.coefficients(theta)
        x, y = self._of.model.input_units.scale, self._of.model.units.scale
        weights = (x[:, None] / y, 1 / y)
        apart = max(
            float(np.abs((a - b) * w).max())
            for a, b, w in zip((slope, constants), self._fitted, weights, strict=True)
        )
        found: list[tuple[float, ...]] = [(apart, 0.0), (float(np.abs((noise - self._noise) / y).max()), 0.0)]
        if self._true is not None:
            found.append(tuple(float(np.abs(each - self._true).max()) for each in (slope, self._fitted[0])))
        return dict(zip(self.names, found, strict=True))


class Regression:
    """Root mean square error in the data's units, and the mean R^2 of the columns that vary, of the
    predictions beside those of least squares, on all rows."""

    columns = ("model", "least squares")

    @staticmethod
    def serves(of):
        return isinstance(of.model, Regressor)

    def __init__(self, evaluation):
        of = self._of = evaluation
        of.require("inputs")
        self.about = f"{of.files.rows:,} rows"
        moments, inputs = _moments(of), of.files.width("inputs")
        self._mean = moments.mean[inputs:]
        self._slope, self._constants, _ = fit(moments, inputs, intercept=True)
        self.names = ["rmse", "r2"]

    def measures(self, theta):
        of, n = self._of, self._of.files.rows

        def squares(block):
            rows = of.files.read(block.start, block.stop)
            x, y = rows.inputs.astype(np.float64), rows.samples.reshape(len(rows), -1).astype(np.float64)
            mine = of.model.generate(theta, of.model.batch(len(rows), inputs=rows.inputs)).reshape(y.shape)
            return np.array(
                [
                    np.square(y - guess).sum(0)
                    for guess in (mine, x @ self._slope + self._constants, self._mean)
                ]
            )

        *pair, total = of.total(n, squares)
        rmse = tuple(float(np.sqrt(found.mean() / n)) for found in pair)
        varies = total > 0
        r2 = tuple(
            float((1 - found[varies] / total[varies]).mean()) if varies.any() else np.nan for found in pair
        )
        return dict(zip(self.names, (rmse, r2), strict=True))


class Classification:
    """The share of right labels and the cross entropy in nats, beside those of guessing by frequency, on all
    rows."""

    columns = ("model", "frequencies")

    @staticmethod
    def serves(of):
        return isinstance(of.model, Classifier)

    def __init__(self, evaluation):
        evaluation.require("labels")
        self._of, self.about = evaluation, f"{evaluation.files.rows:,} rows"
        self.names = ["accuracy", "cross_entropy"]

    def measures(self, theta):
        of, n, model = self._of, self._of.files.rows, self._of.model

        def sums(block):
            rows = of.files.read(block.start, block.stop)
            logits = model.logits(theta, model.batch(len(rows), samples=rows.samples))
            entropy = Categorical.terms(logits.astype(np.float64), rows.labels).sum()
            right = np.count_nonzero(logits.argmax(1) == rows.labels)
            return np.array([right, entropy, *np.bincount(rows.labels, minlength=model.classes)])

        right, entropy, *counts = of.total(n, sums) / n
        shares = np.array(counts)[np.array(counts) > 0]
        return {
            "accuracy": (float(right), float(shares.max())),
            "cross_entropy": (float(entropy), float(-(shares * np.log(shares)).sum())),
        }


def _moments(of):
    """Return the moments of all rows' inputs and samples together."""

    def moments(block):
        rows = of.files.read(block.start, block.stop)
        return Moments.of(np.hstack([rows.inputs, rows.samples.reshape(len(rows), -1)]))

    return of.total(of.files.rows, moments, lambda a, b: merge([a, b]), run=64)


GROUPS = (Distances, Bounds, Coefficients, Regression, Classification)
