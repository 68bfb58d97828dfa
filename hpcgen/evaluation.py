"""Figures of a trained model, each beside the same figure of real data or of the closed form.

The work is divided among ranks in fixed blocks of rows whose results are combined in order (`hpcgen.metrics`), so that the
figures are the same bits at any number of ranks.
"""

import json
from contextlib import ExitStack, contextmanager
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np

from hpcgen import storage
from hpcgen.checkpoint import load, newest
from hpcgen.data.file import DataFiles, require_suitable
from hpcgen.errors import InputError
from hpcgen.figures import GROUPS, Distances, Features
from hpcgen.generation import Prior, generate, model_of
from hpcgen.metrics.blocks import blocks
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.parallel.partition import Partition
from hpcgen.runtime import one_blas_thread

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
        self.classifier, most = classifier, files.rows // 2
        self.count = min(most, MOST) if count is None else count
        groups = [group for group in GROUPS if group.serves(self)]
        if model.source == "noise" and not 4 <= self.count <= most:
            raise InputError(f"{files.rows} rows of data give 4 to {most} to compare and as many held out, not {self.count}")
        if classifier and Distances not in groups:
            raise InputError(
                "features of a classifier serve to compare samples that are drawn; this model's figures have no use for them"
            )
        if classifier:
            classifier.require(schema)
        with _measurable():
            self._groups = [group(self) for group in groups]
        self.columns, self.about = self._groups[0].columns, self._groups[0].about
        self.names = [name for group in self._groups for name in group.names]

    @property
    def keys(self):
        """The columns as identifiers."""
        return [column.replace("-", "_").replace(" ", "_") for column in self.columns]

    def figures(self, theta):
        with one_blas_thread(), _measurable():
            return {name: pair for group in self._groups for name, pair in group.figures(theta).items()}

    def require(self, column):
        """Raise InputError unless the data have the column."""
        if column not in self.files.names:
            raise InputError(f"the data to evaluate on have no /{column}")

    def divided(self, items, function):
        """Return function(item) of all items in order, on every rank; the ranks divide them."""
        mine = Partition.even(len(items), self.comm.size).slice(self.comm.rank)
        with agree(self.comm), _measurable():
            found = [function(item) for item in items[mine]]
        return [each for rank in self.comm.allgather(found) for each in rank]

    def each(self, n, function):
        """Return function(block) of every block of n rows in order."""
        return self.divided(blocks(n), function)

    def total(self, n, function, join=add):
        """Return function(block) of all blocks of n rows, joined in their order: first in runs, which the ranks divide."""
        cut = blocks(n)
        runs = [cut[i : i + RUN] for i in range(0, len(cut), RUN)]
        return reduce(join, self.divided(runs, lambda run: reduce(join, map(function, run))))

    def rows(self, block, held_out, names=("samples",)):
        """Return the Rows of a block of the reference, or of what is held out."""
        rows = self.files.read(2 * block.start, 2 * block.stop, names)
        return rows.map(lambda column: column[int(held_out) :: 2])

    def generated(self, theta, block):
        return generate(self.model, theta, self.schema, Prior(self.model, self.seed), block.start, block.stop)

    def unit(self, samples):
        """Return samples of the data's interval as float64 in 0 to 1."""
        return (samples.astype(np.float64) - self.schema.low) / (self.schema.high - self.schema.low)


@contextmanager
def _measurable():
    """Numbers of which there is no figure, such as NaN or samples that are all equal, are bad input."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"cannot be evaluated: {error}") from None


def evaluate(path, data, comm, count=None, seed=0, features=None, out=None, say=print, warn=print):
    """Tell the figures of the checkpoint `path` (or a run folder's newest) on the data file `data`; write them to `out` (JSON).

    `count` samples are compared with as many rows (default: half of the rows, at most 5,000). `features` names a checkpoint of
    a classifier whose features are compared; without it pixels are, along 64 principal components. Return {name: (value, value
    of the other)}. Collective over `comm`. Raises InputError.
    """
    path = from_root(comm, newest, path, warn)
    if out:
        from_root(comm, storage.require_room, out, 0)
    with ExitStack() as stack:
        with agree(comm):
            state = load(path, optimizer=False)
            classifier = Features(features) if features else None
            files = stack.enter_context(DataFiles([str(data)]))
            require_suitable(data, files, state.schema, path)
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
