"""What a measure is, and what it is given.

A measure of a new kind of model is a subclass of `Measure` in a file of its own, and a line in `MEASURES`
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

# A measure's name, its value for the model, and its value for what the model is compared with.
Measures: TypeAlias = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Subject:
    """What is measured: a model beside reference rows. `work` divides the computation among ranks.

    `seed` determines the samples that are drawn. `features`, if given, are compared instead of pixels.
    """

    model: Model
    reference: Reference
    work: Work
    seed: int = 0
    features: Features | None = None

    def generated(self, theta: Theta, start: int, stop: int) -> np.ndarray:
        """Return generated samples [start, stop), (stop - start, *sample_shape).

        A conditional model draws them for the labels of the reference, so that classes are as frequent.
        """
        origin: Origin
        if self.model.classes and self.reference.labelled:
            origin = Matching(self.model, self.seed, self.reference.labels)
        else:
            origin = Prior(self.model, self.seed)
        return generate(self.model, theta, self.reference.schema, origin, start, stop)


class Measure(ABC):
    """Numbers that tell how well a model has learnt, each with the same number of something known.

    A measure is made once, which may read the data, and then called for any number of parameters. Both are
    collective over the ranks of the subject's `work`. Raises InputError if the data lack what it needs.
    """

    # What the two values of each name belong to.
    columns: ClassVar[tuple[str, str]]
    # Whether a chosen number of drawn samples is compared; otherwise all rows of the data are used.
    draws: ClassVar[bool] = False
    # Whether samples can be compared by the features of a classifier.
    takes_features: ClassVar[bool] = False
    # The names of the numbers, in their order.
    names: list[str]
    # What the numbers are taken from, for the reader of a report.
    about: str

    @staticmethod
    @abstractmethod
    def serves(model: Model, schema: Schema) -> bool:
        """Return whether the measure is defined for a model of samples that `schema` describes."""

    @abstractmethod
    def __init__(self, subject: Subject) -> None:
        """Prepare whatever does not depend on the model's parameters."""

    @abstractmethod
    def measure(self, theta: Theta) -> Measures:
        """Return {name: (value, value of what the model is compared with)} for the parameters theta."""
