"""Errors of a regressor's predictions, compared with least squares."""

import h5py
import numpy as np
import pytest

from hpcgen.evaluation.least_squares import least_squares
from hpcgen.evaluation.regression import Regression


def rows_of(path):
    with h5py.File(path) as file:
        return file["inputs"][...], file["samples"][...].astype(np.float64)


def test_errors_and_explained_variance(subject, trained):
    given, theta = subject("regressor")
    x, y = rows_of(trained("regressor")[1])
    mine = given.model.generate(theta, given.model.batch(len(x), inputs=x))
    fitted = least_squares(given, intercept=True).predict(x.astype(np.float64))
    found = Regression(given).measure(theta)
    for column, guess in enumerate((mine, fitted)):
        errors = np.square(y - guess)
        assert found["rmse"][column] == pytest.approx(np.sqrt(errors.mean()))
        r2 = 1 - errors.sum(0) / np.square(y - y.mean(0)).sum(0)
        assert found["r2"][column] == pytest.approx(r2.mean())


def test_columns_that_do_not_vary_have_no_share(comm, folder, subject, trained):
    x, y = rows_of(trained("regressor")[1])
    if comm.rank == 0:
        for name, columns in (("one", [1]), ("all", [0, 1])):
            flat = y.astype(np.float32)
            flat[:, columns] = 3
            with h5py.File(folder / f"{name}.h5", "w") as file:
                file["inputs"], file["samples"] = x, flat
    comm.Barrier()
    given, theta = subject("regressor", path=folder / "one.h5")
    assert np.isfinite(Regression(given).measure(theta)["r2"]).all()
    given, theta = subject("regressor", path=folder / "all.h5")
    assert np.isnan(Regression(given).measure(theta)["r2"]).all()
