"""Least squares fitted to the reference rows: the closed form with which models of inputs are compared."""

from typing import NamedTuple

import numpy as np

from hpcgen.evaluation.measure import Subject
from hpcgen.metrics.least_squares import fit
from hpcgen.metrics.moments import Moments, merge

# A rank merges the moments of this many blocks before the ranks exchange them, to exchange fewer matrices.
BLOCKS_A_RUN = 64


class LeastSquares(NamedTuple):
    """y = x coefficients + constants, fitted to all rows, with the residuals' deviation and the mean of y."""

    coefficients: np.ndarray
    constants: np.ndarray
    deviation: np.ndarray
    mean: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the predicted samples (n, q) for inputs (n, p)."""
        return x @ self.coefficients + self.constants


def least_squares(subject: Subject, intercept: bool) -> LeastSquares:
    """Fit samples (n, q) to inputs (n, p) over all rows, with constants if `intercept`.

    Collective. Raises InputError if the data have no inputs, or another number of inputs than the model.
    """
    reference = subject.reference
    reference.require("inputs")

    def moments(block: slice) -> Moments:
        rows = reference.read(block)
        return Moments.of(np.hstack([rows.inputs, rows.samples.reshape(len(rows), -1)]))

    joined = subject.work.total(
        reference.rows, moments, lambda a, b: merge([a, b]), BLOCKS_A_RUN, reference.rows_a_block
    )
    inputs = reference.width("inputs")
    coefficients, constants, deviation = fit(joined, inputs, intercept)
    return LeastSquares(coefficients, constants, deviation, joined.mean[inputs:])
