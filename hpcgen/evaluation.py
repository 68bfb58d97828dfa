"""Figures of a trained model, each beside the same figure of real data or of the closed form.

The work is divided among ranks in fixed blocks of rows whose results are combined in order (`hpcgen.metrics`), so that the
figures are the same bits at any number of ranks.
"""

import json
from functools import reduce
from math import prod
from operator import add
from pathlib import Path

import numpy as np

from hpcgen import storage
from hpcgen.checkpoint import load, newest
from hpcgen.data.file import DataFiles, paths_of, require_suitable
from hpcgen.errors import InputError
from hpcgen.generation import Prior, generate, model_of
from hpcgen.metrics import frechet, kernel, neighbours, sliced, spectrum
from hpcgen.metrics.blocks import blocks
from hpcgen.metrics.least_squares import fit
from hpcgen.metrics.moments import Moments, merge
from hpcgen.metrics.pca import LARGEST, principal_components
from hpcgen.models.batch import Batch
from hpcgen.models.classifier import Classifier
from hpcgen.models.latent import Autoencoder
from hpcgen.models.linear import Linear
from hpcgen.models.regressor import Regressor
from hpcgen.nn.likelihoods import Categorical
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.parallel.partition import Partition
from hpcgen.runtime import one_blas_thread
from hpcgen.streams import Purpose, normal, stream

# Principal components of the pixels, directions of the sliced distance, draws of the importance weighted bound.
COMPONENTS, DIRECTIONS, DRAWS = 64, 256, 32
# Numbers that principal components are taken from, in float64: 512 MiB.
MOST_NUMBERS = 1 << 26
# Blocks that are added up before ranks tell each other.
RUN = 8
# The most samples that are compared unless more are asked for.
MOST = 5000


class Evaluation:
    """What a model is compared with: `count` rows of the data `files` as reference and as many held out, by turns.

    `figures(theta)` returns {name: (value, value of the other)} of the `names`; `columns` says what the two values are of. Made
    once, called for as many theta as wanted. Collective over `comm`. Raises InputError where the data do not serve.
    """

    def __init__(self, model, schema, files, comm, count=None, seed=0, classifier=None):
        self.model, self.schema, self.files, self.comm, self.seed = model, schema, files, comm, seed
        most = files.rows // 2
        self.count = min(most, MOST) if count is None else count
        if classifier:
            classifier.require(schema)
        if not 4 <= self.count <= most:
            raise InputError(f"{files.rows} rows of data give 4 to {most} to compare and as many held out, not {self.count}")
        self._parts = [make(self, classifier) for applies, make in GROUPS if applies(self)]
        self.columns, self.about = self._parts[0].columns, self._parts[0].about
        self.names = [name for part in self._parts for name in part.names]

    @property
    def keys(self):
        """The columns as identifiers."""
        return [column.replace("-", "_").replace(" ", "_") for column in self.columns]

    def figures(self, theta):
        with one_blas_thread():
            return {name: pair for part in self._parts for name, pair in part.figures(theta).items()}

    def each(self, n, function):
        """Return function(block) of every block of n rows in order, on every rank; the ranks divide them."""
        cut = blocks(n)
        mine = Partition.even(len(cut), self.comm.size).slice(self.comm.rank)
        with agree(self.comm):
            found = [function(block) for block in cut[mine]]
        return [part for parts in self.comm.allgather(found) for part in parts]

    def total(self, n, function, join=add):
        """Return function(block) of all blocks of n rows, joined in their order: first in runs, which the ranks divide."""
        cut = blocks(n)
        runs = [cut[i : i + RUN] for i in range(0, len(cut), RUN)]
        mine = Partition.even(len(runs), self.comm.size).slice(self.comm.rank)
        with agree(self.comm):
            found = [reduce(join, map(function, run)) for run in runs[mine]]
        return reduce(join, [part for parts in self.comm.allgather(found) for part in parts])

    def rows(self, block, held_out, names=("samples",)):
        """Return the Rows of a block of the reference, or of what is held out."""
        rows = self.files.read(2 * block.start, 2 * block.stop, names)
        return rows.map(lambda column: column[int(held_out) :: 2])

    def generated(self, theta, block):
        return generate(self.model, theta, self.schema, Prior(self.model, self.seed), block.start, block.stop)

    def unit(self, samples):
        """Return samples of the data's interval as float64 in 0 to 1."""
        return (samples.astype(np.float64) - self.schema.low) / (self.schema.high - self.schema.low)


class Distances:
    """Generated samples against the reference, beside held-out data against the reference."""

    columns = ("generated", "held-out data")

    def __init__(self, evaluation, classifier):
        self._of, n = evaluation, evaluation.count
        space = f"features of {classifier.state.path}" if classifier else f"{COMPONENTS} principal components of the pixels"
        self.about = f"{n:,} samples, {space}"
        self.names = [
            *("frechet_distance", "kernel_distance", "precision", "recall", "sliced_wasserstein"),
            *(["log_spectral_distance"] if _fields(evaluation.schema) else []),
        ]
        with one_blas_thread():
            self._features = classifier.features if classifier else self._pixels(n)
            self._directions = None
            self._reference = self._measured(lambda block: evaluation.rows(block, False).samples)
            self._held_out = self._compared(self._measured(lambda block: evaluation.rows(block, True).samples))

    def figures(self, theta):
        mine = self._compared(self._measured(lambda block: self._of.generated(theta, block)))
        return {name: (mine[name], self._held_out[name]) for name in mine}

    def _pixels(self, n):
        """Return the coordinates along the principal components of the reference."""
        of, size = self._of, prod(self._of.schema.shape)
        with agree(of.comm):
            some = of.unit(of.rows(slice(0, min(n, LARGEST, max(COMPONENTS + 1, MOST_NUMBERS // size))), False).samples)
            components = principal_components(some.reshape(len(some), -1), COMPONENTS)
        return lambda samples: components.project(of.unit(samples).reshape(len(samples), -1))

    def _measured(self, samples):
        """Return the features (n, d) of all samples, their moments, radii, projections and spectrum."""
        of, n, fields = self._of, self._of.count, _fields(self._of.schema)

        def block_figures(block):
            rows = samples(block)
            return self._features(rows), spectrum.radial_power(of.unit(rows).reshape(len(rows), *fields)) if fields else 0.0

        features, power = zip(*of.each(n, block_figures))
        x = np.concatenate(features)
        if self._directions is None:
            self._directions = sliced.directions(stream(of.seed, Purpose.EVALUATE), DIRECTIONS, x.shape[1])
        return {
            "x": x,
            "moments": merge(Moments.of(x[block]) for block in blocks(n)),
            "radii": np.concatenate(of.each(n, lambda block: neighbours.squared_radii(x[block], x, block.start))),
            "projected": np.concatenate([sliced.project(x[block], self._directions) for block in blocks(n)]),
            "power": spectrum.mean(power, n),
        }

    def _compared(self, mine):
        """Return the figures of what was measured, against the reference."""
        of, n, real = self._of, self._of.count, self._reference
        x, y = real["x"], mine["x"]
        pairs = kernel.pairs(n, n)
        share = Partition.even(len(pairs), of.comm.size).slice(of.comm.rank)
        with agree(of.comm):
            found = [kernel.squared_mmd(x[a], y[b]) for a, b in pairs[share]]
        estimates = [estimate for part in of.comm.allgather(found) for estimate in part]
        precision = neighbours.share(of.each(n, lambda block: neighbours.covered(y[block], x, real["radii"])))
        recall = neighbours.share(of.each(n, lambda block: neighbours.covered(x[block], y, mine["radii"])))
        figures = [
            frechet.distance(mine["moments"], real["moments"]),
            kernel.distance(estimates)[0],
            precision,
            recall,
            sliced.distance(real["projected"], mine["projected"]),
        ]
        if _fields(of.schema):
            figures.append(spectrum.distance(mine["power"], real["power"]))
        return dict(zip(self.names, figures))


def _fields(schema):
    """Return the shape (*sizes, channels) of samples that are fields, or None."""
    shape = schema.shape if schema.kind == "image" or len(schema.shape) > 1 and schema.shape[-1] < 8 else (*schema.shape, 1)
    return shape if 2 <= len(shape) <= 4 and min(shape[:-1]) > 1 else None


class Bounds:
    """Lower bounds of log p(x) in nats a sample, of generated samples beside held-out data."""

    columns = ("generated", "held-out data")

    def __init__(self, evaluation, classifier):
        self._of, self.about = evaluation, f"{evaluation.count:,} samples, {DRAWS} draws of the latent numbers"
        self.names = ["elbo", "iwae", *(["bits_a_character"] if evaluation.schema.kind == "text" else [])]

    def figures(self, theta):
        of = self._of
        sets = (lambda block: of.generated(theta, block), lambda block: of.rows(block, True).samples)
        pairs = [self._bounds(theta, samples) for samples in sets]
        figures = {name: tuple(pair[i] for pair in pairs) for i, name in enumerate(("elbo", "iwae"))}
        if "bits_a_character" in self.names:
            per_character = -1 / (np.log(2) * prod(of.schema.shape))
            figures["bits_a_character"] = tuple(per_character * value for value in figures["iwae"])
        return figures

    def _bounds(self, theta, samples):
        of = self._of

        def sums(block):
            x = of.model.units.encode(samples(block))
            size = (len(x), of.model.posterior.size)
            draws = (normal(stream(of.seed, Purpose.EVALUATE, block.start, part=1 + i), size) for i in range(DRAWS))
            return np.array([bound.sum() for bound in of.model.bounds(theta, x, draws)])

        return (of.total(of.count, sums) / of.count).tolist()


class Coefficients:
    """The linear generator's parameters beside the closed form of all rows: least squares."""

    columns = ("model", "least squares")

    def __init__(self, evaluation, classifier):
        of = self._of = evaluation
        self.about = f"{of.files.rows:,} rows"
        *self._fitted, self._noise = fit(_moments(of), of.files.width("inputs"), of.model.intercept)
        self._true = of.files.constant("theta")
        known = [] if self._true is None else ["theta_error"]
        self.names = ["theta_error_to_least_squares", "noise_deviation", *known]

    def figures(self, theta):
        slope, constants, noise = self._of.model.coefficients(theta)
        apart = max(float(np.abs(a - b).max()) for a, b in zip((slope, constants), self._fitted))
        figures = [(apart, 0.0), (float(noise.mean()), float(self._noise.mean()))]
        if self._true is not None:
            figures.append(tuple(float(np.abs(each - self._true).max()) for each in (slope, self._fitted[0])))
        return dict(zip(self.names, figures))


class Regression:
    """Root mean square error in the data's units, and R^2, of the predictions beside those of least squares, on all rows."""

    columns = ("model", "least squares")

    def __init__(self, evaluation, classifier):
        of = self._of = evaluation
        self.about = f"{of.files.rows:,} rows"
        moments, inputs = _moments(of), of.files.width("inputs")
        self._mean = moments.mean[inputs:]
        self._slope, self._constants, _ = fit(moments, inputs, intercept=True)
        self.names = ["rmse", "r2"]

    def figures(self, theta):
        of, n = self._of, self._of.files.rows

        def squares(block):
            rows = of.files.read(block.start, block.stop)
            x, y = rows.inputs.astype(np.float64), rows.samples.reshape(len(rows), -1).astype(np.float64)
            predicted = of.model.sample(theta, Batch(len(rows), inputs=of.model.input_units.encode(rows.inputs)))
            mine = of.model.units.decode(predicted).reshape(y.shape)
            return np.array([np.square(y - guess).sum(0) for guess in (mine, x @ self._slope + self._constants, self._mean)])

        *pair, total = of.total(n, squares)
        rmse = tuple(float(np.sqrt(found.mean() / n)) for found in pair)
        return dict(zip(self.names, (rmse, tuple(float((1 - found / total).mean()) for found in pair))))


class Classification:
    """The share of right labels and the cross entropy in nats, beside those of guessing by frequency, on all rows."""

    columns = ("model", "frequencies")

    def __init__(self, evaluation, classifier):
        self._of, self.about = evaluation, f"{evaluation.files.rows:,} rows"
        self.names = ["accuracy", "cross_entropy"]

    def figures(self, theta):
        of, n, model = self._of, self._of.files.rows, self._of.model

        def sums(block):
            rows = of.files.read(block.start, block.stop)
            logits = model.logits(theta, model.units.encode(rows.samples))
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

    return of.total(of.files.rows, moments, lambda a, b: merge([a, b]))


GROUPS = (
    (lambda of: of.model.source == "noise" and of.schema.kind != "text", Distances),
    (lambda of: isinstance(of.model, Autoencoder), Bounds),
    (lambda of: isinstance(of.model, Linear), Coefficients),
    (lambda of: isinstance(of.model, Regressor), Regression),
    (lambda of: isinstance(of.model, Classifier), Classification),
)


class Features:
    """The features of a classifier that hpcgen trained: `name`, and features(samples of a data file) -> (n, d)."""

    def __init__(self, path):
        state = load(path, optimizer=False)
        self.model, self.state = model_of(state), state
        if not isinstance(self.model, Classifier):
            raise InputError(f'{state.path}: --features needs a checkpoint of model.kind = "classifier"')

    def require(self, schema):
        if (self.state.schema.shape, self.state.schema.dtype) != (schema.shape, schema.dtype):
            raise InputError(f"{self.state.path}: classifies samples of another shape or type than these")

    def features(self, samples):
        return self.model.features(self.state.sampled, self.model.units.encode(samples))


def evaluate(path, data, comm, count=None, seed=0, features=None, out=None, say=print, warn=print):
    """Tell the figures of the checkpoint `path` (or a run folder's newest) on the data file `data`; write them to `out` (JSON).

    `count` samples are compared with as many rows (default: half of the rows, at most 5,000). `features` names a checkpoint of
    a classifier whose features are compared; without it pixels are, along 64 principal components. Return {name: (value, value
    of the other)}. Collective over `comm`. Raises InputError.
    """
    path = from_root(comm, newest, path, warn)
    if out:
        from_root(comm, storage.require_room, out, 0)
    with agree(comm):
        state = load(path, optimizer=False)
        files = DataFiles(paths_of(str(data)))
        require_suitable(data, files, state.schema, path)
        classifier = Features(features) if features else None
    with files:
        evaluation = Evaluation(model_of(state), state.schema, files, comm, count, seed, classifier)
        figures = evaluation.figures(state.sampled)
    say(f"{path} on {data}: {evaluation.about}")
    width = max(map(len, figures))
    say(f"{'':<{width}}  {evaluation.columns[0]:>14}  {evaluation.columns[1]:>14}")
    for name, (value, other) in figures.items():
        say(f"{name:<{width}}  {value:>14.6g}  {other:>14.6g}")
    if out:
        report = {
            "checkpoint": str(path),
            "data": str(data),
            "step": state.step,
            "samples": evaluation.count,
            "seed": seed,
            "about": evaluation.about,
            "figures": {name: dict(zip(evaluation.keys, pair)) for name, pair in figures.items()},
        }
        from_root(comm, Path(out).write_text, json.dumps(report, indent=1) + "\n")
        say(f"{out}: the same as JSON")
    return figures
