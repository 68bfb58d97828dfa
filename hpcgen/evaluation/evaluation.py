"""Evaluation of a model on data files, by the measures that apply to it."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from hpcgen.data.reading import DataFiles
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.evaluation.bounds import Bounds
from hpcgen.evaluation.classification import Classification
from hpcgen.evaluation.coefficients import Coefficients
from hpcgen.evaluation.distances import Distances
from hpcgen.evaluation.features import Features
from hpcgen.evaluation.measure import Measure, Measures, Subject
from hpcgen.evaluation.reference import Reference
from hpcgen.evaluation.regression import Regression
from hpcgen.evaluation.work import Work, measurable
from hpcgen.metrics.neighbours import NEIGHBOURS
from hpcgen.models.model import Model, Theta
from hpcgen.runtime import one_blas_thread

if TYPE_CHECKING:
    from mpi4py import MPI

# All measures, in the order of a report.
MEASURES: tuple[type[Measure], ...] = (Distances, Bounds, Coefficients, Regression, Classification)
# The fewest samples that can be compared: a sample needs NEIGHBOURS others.
FEWEST_SAMPLES = NEIGHBOURS + 1
# Default number of samples to compare. The time to find neighbours grows with its square.
DEFAULT_SAMPLES = 5000


class Evaluation:
    """The measures that apply to a model, on open data files. One object evaluates any number of parameters.

    `count` drawn samples are compared with as many rows (None: half of the rows, at most 5,000), by the
    `features` of a classifier if given. `names` are the names of the measures, `columns` are the titles of
    their two values, and `about` says how many samples or rows they are computed from. A rank uses `threads`
    threads (0: as many as `lane_threads` says). All methods are collective over `comm`. Raises InputError if
    the data do not suit the model or the options.
    """

    def __init__(
        self,
        model: Model,
        schema: Schema,
        files: DataFiles,
        comm: "MPI.Comm",
        count: int | None = None,
        seed: int = 0,
        features: Features | None = None,
        threads: int = 0,
    ) -> None:
        chosen = [measure for measure in MEASURES if measure.serves(model, schema)]
        _require_use(chosen, files.rows, count, features)
        if features:
            features.require(schema)
        if count is None:
            count = min(files.rows // 2, DEFAULT_SAMPLES)
        reference = Reference(files, schema, count)
        with ExitStack() as stack:
            work = Work(comm, 1 if model.team is None else model.team.comm.size, threads)
            stack.callback(work.close)
            _require_labels(model, reference, work)
            subject = Subject(model, reference, work, seed, features)
            with one_blas_thread(), measurable():
                self._measures = [measure(subject) for measure in chosen]
            self._stack = stack.pop_all()
        self.columns, self.about = self._measures[0].columns, self._measures[0].about
        self.names = [name for measure in self._measures for name in measure.names]

    @property
    def keys(self) -> list[str]:
        """The titles of the columns as identifiers, for JSON and CSV."""
        return [column.replace("-", "_").replace(" ", "_") for column in self.columns]

    def measures(self, theta: Theta) -> Measures:
        """Return {name: (value of the model, value of the other column)} for the parameters theta."""
        with one_blas_thread(), measurable():
            return {name: pair for each in self._measures for name, pair in each.measure(theta).items()}

    def close(self) -> None:
        """End the threads. The files stay open."""
        self._stack.close()


def _require_use(
    chosen: list[type[Measure]], rows: int, count: int | None, features: Features | None
) -> None:
    """Raise InputError unless there are measures and rows, and the measures use all given options."""
    if not chosen:
        raise InputError("models of this kind have no measures")
    if not rows:
        raise InputError("the evaluation data have no rows")
    if any(measure.draws for measure in chosen):
        _require_count(rows, count)
    elif count is not None:
        raise InputError(
            "a count applies to drawn samples; this model is measured on all rows: leave the count out"
        )
    if features and not any(measure.takes_features for measure in chosen):
        raise InputError("features apply to drawn samples that are not text: leave the features out")


def _require_count(rows: int, count: int | None) -> None:
    most = rows // 2
    if most < FEWEST_SAMPLES:
        raise InputError(f"{rows} rows are too few for an evaluation: {2 * FEWEST_SAMPLES} are needed")
    if count is not None and not FEWEST_SAMPLES <= count <= most:
        raise InputError(
            f"a count of {count}: with {rows} rows, {FEWEST_SAMPLES} to {most} samples can be compared"
        )


def _require_labels(model: Model, reference: Reference, work: Work) -> None:
    """Raise InputError if the data have labels that the model was not trained on. Collective."""
    if not (model.classes and reference.labelled):
        return
    highest = work.total(
        reference.rows, lambda block: int(reference.read(block, "labels").labels.max()), max, shared=False
    )
    if highest >= model.classes:
        raise InputError(f"label {highest} is not among the {model.classes} labels of the training data")
