"""Least squares fitted to the reference rows."""

import h5py
import numpy as np
import pytest

from hpcgen.errors import InputError
from hpcgen.evaluation.least_squares import least_squares


def test_least_squares_are_numpys(subject, trained):
    given, _ = subject("linear")
    with h5py.File(trained("linear")[1]) as file:
        x, y = file["inputs"][...].astype(np.float64), file["samples"][...].astype(np.float64)
    found = least_squares(given, intercept=True)
    expected = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    assert np.allclose(found.coefficients, expected[:3]) and np.allclose(found.constants, expected[3])
    assert np.allclose(found.mean, y.mean(0))
    assert np.allclose(found.predict(x), x @ expected[:3] + expected[3])
    assert np.allclose(found.deviation, (y - found.predict(x)).std(0))
    found = least_squares(given, intercept=False)
    assert np.allclose(found.coefficients, np.linalg.lstsq(x, y, rcond=None)[0]) and not found.constants.any()


def test_data_without_inputs(comm, folder, subject):
    if comm.rank == 0:
        with h5py.File(folder / "bare.h5", "w") as file:
            file["samples"] = np.zeros((20, 2), np.float32)
    comm.Barrier()
    given, _ = subject("linear", path=folder / "bare.h5")
    with pytest.raises(InputError, match="the evaluation data have no /inputs"):
        least_squares(given, intercept=True)
