"""The measures of a model, each with the same measure of real data or of the closed form.

The ranks divide the work in fixed blocks of rows. The results are combined in order (`hpcgen.metrics`). The
measures are therefore the same bits at any number of ranks.
"""

from contextlib import ExitStack, contextmanager
from functools import reduce
from operator import add

import numpy as np

from hpcgen.errors import InputError
from hpcgen.evaluation.groups import GROUPS, Distances
from hpcgen.metrics.blocks import blocks
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.threads import Workers
from hpcgen.runtime import lane_threads, one_blas_thread
from hpcgen.sampling.origins import Matching, Prior, generate

# The fewest samples that can be compared: one more than nearest neighbours.
FEWEST_SAMPLES = 4
# The most samples that are compared unless more are asked for.
DEFAULT_MOST_SAMPLES = 5000


class Evaluation:
    """What a model is compared with: `count` rows of the data `files` as reference, and the `count` between
    them.

    `figures(theta)` returns {name: (value, value of the other)} of the `names`; `columns` says what the two
    values are of. Made once, called for as many theta as wanted; ranks, and threads of a rank, divide the
    work. Collective over `comm`. Raises InputError where the data do not serve.
    """

    def __init__(self, model, schema, files, comm, count=None, seed=0, classifier=None):
        self.model, self.schema, self.files, self.comm, self.seed = model, schema, files, comm, seed
        self.classifier, most = classifier, files.rows // 2
        self.count = min(most, DEFAULT_MOST_SAMPLES) if count is None else count
        groups = [group for group in GROUPS if group.serves(self)]
        self._require_use(groups, count, most)
        with ExitStack() as stack:
            self._workers = Workers(lane_threads(comm))
            stack.callback(self._workers.close)
            self._require_labels()
            with _measurable():
                self._groups = [group(self) for group in groups]
            self._stack = stack.pop_all()
        self.columns, self.about = self._groups[0].columns, self._groups[0].about
        self.names = [name for group in self._groups for name in group.names]

    def _require_use(self, groups, count, most):
        """Raise InputError unless the data have enough rows, and the figures a use for what was asked."""
        if not self.files.rows:
            raise InputError("the data to evaluate on have no rows")
        if self.model.source == "noise":
            if most < FEWEST_SAMPLES:
                raise InputError(
                    f"{self.files.rows} rows of data are too few to evaluate on: {2 * FEWEST_SAMPLES} "
                    "are needed"
                )
            if not FEWEST_SAMPLES <= self.count <= most:
                raise InputError(
                    f"a count of {self.count}: half of the {self.files.rows} rows can be compared, "
                    f"{FEWEST_SAMPLES} to {most}"
                )
        elif count is not None:
            raise InputError("a count serves to compare drawn samples; here all rows are taken: leave it out")
        if self.classifier and Distances not in groups:
            raise InputError(
                "features of a classifier serve to compare drawn pictures or numbers: leave them out"
            )
        if self.classifier:
            self.classifier.require(self.schema)

    def _require_labels(self):
        """Raise InputError if the data have labels that the model has not learnt. Collective."""
        if self.model.classes and "labels" in self.files.names:
            rows = self.files
            highest = self.total(
                rows.rows, lambda b: int(rows.read(b.start, b.stop, ("labels",)).labels.max()), max
            )
            if highest >= self.model.classes:
                raise InputError(
                    f"label {highest} is not among the {self.model.classes} that the model has learnt"
                )

    @property
    def keys(self):
        """The columns as identifiers."""
        return [column.replace("-", "_").replace(" ", "_") for column in self.columns]

    def close(self):
        self._stack.close()

    def measures(self, theta):
        with one_blas_thread(), _measurable():
            return {name: pair for group in self._groups for name, pair in group.measures(theta).items()}

    def require(self, column):
        """Raise InputError unless the data have the column."""
        if column not in self.files.names:
            raise InputError(f"the data to evaluate on have no /{column}")
        if column == "inputs" and self.files.width(column) != len(self.schema.inputs):
            raise InputError(
                f"the data to evaluate on have {self.files.width(column)} inputs, the model "
                f"{len(self.schema.inputs)}"
            )

    def once(self, function):
        """Return function() on every rank; the first takes it."""

        def measured():
            with _measurable():
                return function()

        return from_root(self.comm, measured)

    def divided(self, items, function):
        """Return function(item) of all items in order, on every rank; the ranks divide them."""
        mine = Partition.even(len(items), self.comm.size).slice(self.comm.rank)
        with agree(self.comm), _measurable():
            found = list(self._workers.each(function, items[mine]))
        return [each for rank in self.comm.allgather(found) for each in rank]

    def each(self, n, function):
        """Return function(block) of every block of n rows in order."""
        return self.divided(blocks(n), function)

    def total(self, n, function, join=add, run=1):
        """Return function(block) of all blocks of n rows, joined in their order: first in runs, so that less
        is exchanged."""
        cut = blocks(n)
        runs = [cut[i : i + run] for i in range(0, len(cut), run)]
        return reduce(join, self.divided(runs, lambda part: reduce(join, map(function, part))))

    def rows(self, start, stop, other=False, names=("samples",)):
        """Return the Rows [start, stop) of the reference, every second of the file, or of the rows between
        them."""
        rows = self.files.read(2 * start, 2 * stop, names)
        return rows.map(lambda column: column[int(other) :: 2])

    def rows_of(self, other):
        """Return samples(start, stop) of the reference, or of the rows between them."""
        return lambda start, stop: self.rows(start, stop, other).samples

    def generated(self, theta, start, stop):
        """Return samples [start, stop); of a conditional model for the labels of the reference, if it has
        any."""
        matching = self.model.classes and "labels" in self.files.names
        origin = Matching(self.model, self.seed, self._labels) if matching else Prior(self.model, self.seed)
        return generate(self.model, theta, self.schema, origin, start, stop)

    def _labels(self, start, stop):
        first, last = min(start, self.count), min(stop, self.count)
        return self.rows(first, last, names=("labels",)).labels

    def unit(self, samples):
        """Return samples of the data's interval as float64 in 0 to 1."""
        unit = samples.astype(np.float64)
        unit -= self.schema.low
        unit /= self.schema.high - self.schema.low
        return unit


@contextmanager
def _measurable():
    """Numbers of which there is no figure, such as NaN or samples that are all equal, are bad input."""
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"cannot be evaluated: {error}") from None
