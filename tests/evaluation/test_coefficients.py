"""Errors of the parameters of a linear generator, compared with the closed form."""

import h5py
import numpy as np
import pytest

from hpcgen.evaluation.coefficients import Coefficients
from hpcgen.evaluation.least_squares import least_squares


def test_a_model_that_is_the_closed_form_has_no_error(subject):
    given, theta = subject("linear")
    model, fitted = given.model, least_squares(given, intercept=False)
    x, y = model.input_units.scale, model.units.scale
    theta["linear"]["theta"][...] = fitted.coefficients * x[:, None] / y
    theta["linear"]["log_deviation"][...] = np.log(fitted.deviation / y)
    found = Coefficients(given).measure(theta)
    assert list(found) == ["theta_error_to_least_squares", "noise_error_to_least_squares", "theta_error"]
    assert found["theta_error_to_least_squares"] == pytest.approx((0, 0), abs=1e-6)
    assert found["noise_error_to_least_squares"] == pytest.approx((0, 0), abs=1e-6)
    assert found["theta_error"][0] == pytest.approx(found["theta_error"][1], rel=1e-3)


def test_the_error_of_an_untrained_model(subject, trained):
    given, theta = subject("linear")
    theta["linear"]["theta"][...] = 0
    with h5py.File(trained("linear")[1]) as file:
        true = file["theta"][...]
    assert Coefficients(given).measure(theta)["theta_error"][0] == np.abs(true).max()


def test_a_true_theta_is_not_needed(comm, folder, subject, trained):
    if comm.rank == 0:
        with h5py.File(trained("linear")[1]) as file, h5py.File(folder / "bare.h5", "w") as bare:
            for name in ("samples", "inputs"):
                bare[name] = file[name][...]
    else:
        trained("linear")
    comm.Barrier()
    given, theta = subject("linear", path=folder / "bare.h5")
    made = Coefficients(given)
    assert made.about == "300 rows" and list(made.measure(theta)) == made.names and len(made.names) == 2
    assert not Coefficients.serves(subject("regressor")[0].model, given.reference.schema)
