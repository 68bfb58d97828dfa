"""Errors of a regressor's predictions, compared with least squares."""

import numpy as np

from hpcgen.data.schema import Schema
from hpcgen.evaluation.least_squares import least_squares
from hpcgen.evaluation.measure import Measure, Measures, Subject
from hpcgen.models.model import Model, Theta
from hpcgen.models.regressor import Regressor


class Regression(Measure):
    """Root mean square error in the data's units, and mean R^2 of the columns that vary, over all rows."""

    columns = ("model", "least squares")

    @staticmethod
    def serves(model: Model, schema: Schema) -> bool:
        return isinstance(model, Regressor)

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._fitted = least_squares(subject, intercept=True)
        self.about = f"{subject.reference.rows:,} rows"
        self.names = ["rmse", "r2"]

    def measure(self, theta: Theta) -> Measures:
        model, reference, fitted = self._subject.model, self._subject.reference, self._fitted

        def squares(block: slice) -> np.ndarray:
            """Return the squared errors (3, q) of the model, of least squares, and of the columns' means."""
            rows = reference.read(block)
            x, y = rows.inputs.astype(np.float64), rows.samples.reshape(len(rows), -1).astype(np.float64)
            mine = model.generate(theta, model.batch(len(rows), inputs=rows.inputs)).reshape(y.shape)
            guesses = (mine, fitted.predict(x), fitted.mean)
            return np.array([np.square(y - guess).sum(0) for guess in guesses])

        mine, closed_form, total = self._subject.work.total(
            reference.rows, squares, size=reference.rows_a_block
        )
        return {
            "rmse": (self._rmse(mine), self._rmse(closed_form)),
            "r2": (_r2(mine, total), _r2(closed_form, total)),
        }

    def _rmse(self, squares: np.ndarray) -> float:
        return float(np.sqrt(squares.mean() / self._subject.reference.rows))


def _r2(squares: np.ndarray, total: np.ndarray) -> float:
    """Return the mean R^2 of the columns that vary, or NaN if none varies."""
    varies = total > 0
    return float((1 - squares[varies] / total[varies]).mean()) if varies.any() else np.nan
