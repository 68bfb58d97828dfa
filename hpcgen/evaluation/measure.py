"""The base class of measures, and the subject that they measure.

To add a measure, write a subclass of `Measure` in a file of its own, and add it to `MEASURES`
(`hpcgen.evaluation.evaluation`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from hpcgen.data.schema import Schema
from hpcgen.evaluation.features import Features
from hpcgen.evaluation.reference import Reference
from hpcgen.evaluation.work import Work
from hpcgen.models.model import Model, Theta
from hpcgen.sampling.generation import generate
from hpcgen.sampling.origins import Matching, Origin, Prior

# {name of a measure: (value of the model, value of the other column)}.
Measures: TypeAlias = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Subject:
    """A model to measure, and the reference rows. `work` divides the computation among the ranks.

    `seed` determines the drawn samples. `features`, if given, are compared instead of pixels.
    """

    model: Model
    reference: Reference
    work: Work
    seed: int = 0
    features: Features | None = None

    def generated(self, theta: Theta, start: int, stop: int) -> np.ndarray:
        """Return generated samples [start, stop), (stop - start, *sample_shape).

        A conditional model draws them for the labels of the reference, so that each class is equally frequent
        in both.
        """
        origin: Origin
        if self.model.classes and self.reference.labelled:
            origin = Matching(self.model, self.seed, self.reference.labels)
        else:
            origin = Prior(self.model, self.seed)
        return generate(self.model, theta, self.reference.schema, origin, start, stop)


class Measure(ABC):
    """One or more numbers that say how well a model fits, each with a value to compare it with.

    The constructor may read the data. `measure` can then be called for any number of parameters. Both are
    collective over the ranks of the subject's `work`. Raises InputError if the data lack a needed column.
    """

    # The titles of the two values of each name.
    columns: ClassVar[tuple[str, str]]
    # True if drawn samples are compared, whose number can be chosen. False if all rows of the data are used.
    draws: ClassVar[bool] = False
    # Whether samples can be compared by the features of a classifier.
    takes_features: ClassVar[bool] = False
    # The names of the numbers, in order.
    names: list[str]
    # How many samples or rows the numbers are computed from, as a report says it.
    about: str

    @staticmethod
    @abstractmethod
    def serves(model: Model, schema: Schema) -> bool:
        """Return whether the measure applies to a model whose samples `schema` describes."""

    @abstractmethod
    def __init__(self, subject: Subject) -> None:
        """Compute everything that does not depend on the model's parameters."""

    @abstractmethod
    def measure(self, theta: Theta) -> Measures:
        """Return {name: (value of the model, value of the other column)} for the parameters theta."""
