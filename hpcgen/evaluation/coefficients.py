"""Errors of the parameters of a linear generator, compared with the closed form."""

import numpy as np

from hpcgen.data.schema import Schema
from hpcgen.evaluation.least_squares import least_squares
from hpcgen.evaluation.measure import Measure, Measures, Subject
from hpcgen.models.linear import LinearGenerator
from hpcgen.models.model import Model, Theta


class Coefficients(Measure):
    """The largest differences of the coefficients, and of the noise's deviation, from least squares.

    They are in units of the columns' root mean squares. If the data file holds the true theta, the largest
    error of theta is also given, in the data's units.
    """

    columns = ("model", "least squares")

    @staticmethod
    def serves(model: Model, schema: Schema) -> bool:
        return isinstance(model, LinearGenerator)

    def __init__(self, subject: Subject) -> None:
        assert isinstance(subject.model, LinearGenerator)
        self._model = subject.model
        self._fitted = least_squares(subject, subject.model.intercept)
        self.about = f"{subject.reference.rows:,} rows"
        true = subject.reference.constant("theta")
        self._true = true if true is not None and true.shape == self._fitted.coefficients.shape else None
        self.names = ["theta_error_to_least_squares", "noise_error_to_least_squares"]
        if self._true is not None:
            self.names.append("theta_error")

    def measure(self, theta: Theta) -> Measures:
        slope, constants, deviation = self._model.coefficients(theta)
        fitted, x, y = self._fitted, self._model.input_units.scale, self._model.units.scale
        theta_error = max(
            _largest((slope - fitted.coefficients) * (x[:, None] / y)),
            _largest((constants - fitted.constants) * (1 / y)),
        )
        found = {
            "theta_error_to_least_squares": (theta_error, 0.0),
            "noise_error_to_least_squares": (_largest((deviation - fitted.deviation) / y), 0.0),
        }
        if self._true is not None:
            errors = _largest(slope - self._true), _largest(fitted.coefficients - self._true)
            found["theta_error"] = errors
        return found


def _largest(errors: np.ndarray) -> float:
    return float(np.abs(errors).max())
