"""Distances between generated samples and real data."""

import h5py
import numpy as np
import pytest

from hpcgen.checkpoints.loading import load_together
from hpcgen.data.schema import Schema
from hpcgen.evaluation import distances
from hpcgen.evaluation.distances import Distances, _field
from hpcgen.evaluation.features import Features
from hpcgen.evaluation.measure import Subject
from hpcgen.metrics import spectrum
from hpcgen.metrics.power_law import expected_power

THEORY = "log_spectral_distance_to_theory"


class Perfect(Subject):
    """A model whose samples are the reference itself."""

    def generated(self, theta, start, stop):
        return self.reference.even(start, stop)


class Other(Subject):
    """A model whose samples are the other half of the data."""

    def generated(self, theta, start, stop):
        return self.reference.odd(start, stop)


class Louder(Subject):
    """A model whose samples are the reference with ten times its waves."""

    def generated(self, theta, start, stop):
        return 10 * self.reference.even(start, stop)


@pytest.mark.parametrize("kind", ["gan", "sound"])
def test_the_reference_is_at_no_distance_from_itself(subject, kind):
    given, theta = subject(kind, make=Perfect)
    found = Distances(given).measure(theta)
    assert found["precision"][0] == found["recall"][0] == 1
    assert found["sliced_wasserstein"][0] == 0 and abs(found["frechet_distance"][0]) < 1e-9
    assert found["kernel_distance"][0] < found["kernel_distance"][1] + 1e-12
    if "log_spectral_distance" in found:
        assert found["log_spectral_distance"][0] == 0


def test_other_real_data_are_what_stands_beside(subject):
    given, theta = subject("gan", 200, make=Other)
    assert all(mine == other for mine, other in Distances(given).measure(theta).values())


def test_fields_beside_the_closed_form_of_their_spectrum(subject):
    given, theta = subject("fields", make=Perfect)
    rows, theory = given.reference, expected_power((12, 12), -1.7)

    def distance(samples):
        return spectrum.distance(spectrum.radial_power(samples) / rows.count, theory)

    expected = distance(rows.even(0, rows.count)), distance(rows.odd(0, rows.count))
    assert Distances(given).measure(theta)[THEORY] == pytest.approx(expected, rel=1e-9)
    assert max(expected) < 0.5
    given, theta = subject("fields", make=Louder)
    assert Distances(given).measure(theta)[THEORY][0] == pytest.approx(20, abs=expected[0])


@pytest.mark.parametrize("true, found", [(np.ones(8), False), (np.ones((7, 1)), False), (np.ones(7), True)])
def test_a_true_spectrum_has_the_bins_of_the_samples(comm, folder, trained, subject, true, found):
    given, _ = subject("fields", 10, path=_with_spectrum(comm, folder, trained, true))
    assert (THEORY in Distances(given).names) is found


def test_a_true_spectrum_has_finite_numbers(comm, folder, trained, subject):
    given, _ = subject("fields", 10, path=_with_spectrum(comm, folder, trained, np.full(7, np.inf)))
    with pytest.raises(ValueError, match="NaN or infinity"):
        Distances(given)


def _with_spectrum(comm, folder, trained, true):
    """Return the path of the fields' samples in a file of another program, with this spectrum."""
    _, data = trained("fields")
    if comm.rank == 0:
        with h5py.File(data) as file, h5py.File(folder / "other.h5", "w") as other:
            other["samples"], other["spectrum"] = file["samples"][...], true
            other.attrs.update({name: file.attrs[name] for name in ("kind", "low", "high")})
    comm.Barrier()
    return folder / "other.h5"


@pytest.mark.parametrize("direct", [True, False])
def test_features_are_compared_directly_or_along_their_components(
    comm, trained, subject, monkeypatch, direct
):
    if not direct:
        monkeypatch.setattr(distances, "DIRECT_FEATURES", 63)
    features = Features(load_together(trained("classifier")[0], comm))
    given, theta = subject("gan", 100, features=features)
    made = Distances(given)
    assert ("principal components" in made.about) is not direct and "features of" in made.about
    plain, _ = subject("gan", 100)
    assert made.measure(theta)["frechet_distance"] != Distances(plain).measure(theta)["frechet_distance"]


def test_means_of_boxes_are_compared_of_samples_with_many_numbers(subject, monkeypatch):
    monkeypatch.setattr(distances, "MOST_NUMBERS", 40)
    given, theta = subject("fields", 60, make=Perfect)
    made = Distances(given)
    assert "components of the means of 2 x 2 numbers" in made.about
    found = made.measure(theta)
    assert found["precision"][0] == found["recall"][0] == 1 and found["sliced_wasserstein"][0] == 0
    numbers, name, width = distances._numbers(given, None)
    x = given.reference.even(0, 3)
    assert (name, width) == ("means of 2 x 2 numbers", 36)
    boxes = given.reference.unit(x).reshape(3, 6, 2, 6, 2).mean((2, 4))
    assert np.allclose(numbers(x), boxes.reshape(3, -1), rtol=1e-12)


@pytest.mark.parametrize(
    "kind, shape, field",
    [
        ("image", (8, 6, 1), (8, 6, 1)),
        ("array", (8, 9), (8, 9, 1)),
        ("array", (64, 2), (64, 2)),
        ("array", (8, 6, 5), (8, 6, 5)),
        ("array", (8, 8, 8), (8, 8, 8, 1)),
        ("array", (8, 9, 9, 3), (8, 9, 9, 3)),
        ("audio", (64,), (64, 1)),
        ("array", (4, 9, 9, 9, 9), None),
        ("array", (1, 9), None),
    ],
)
def test_fields_have_axes_of_places_and_channels(kind, shape, field):
    assert _field(Schema(shape, "float32", kind, 0, 1)) == field


def test_text_has_bounds_and_no_distances(subject):
    given, _ = subject("rvae", 10)
    assert not Distances.serves(given.model, given.reference.schema)
    given, _ = subject("vae", 10)
    assert Distances.serves(given.model, given.reference.schema)
