"""Lower bounds of the likelihood of samples."""

import numpy as np
import pytest

from hpcgen.evaluation.bounds import DRAWS, Bounds
from hpcgen.evaluation.measure import Subject
from hpcgen.streams import Purpose, normal, stream


class Other(Subject):
    """A model whose samples are the other half of the data."""

    def generated(self, theta, start, stop):
        return self.reference.odd(start, stop)


@pytest.mark.parametrize("kind", ["vae", "rvae", "sound"])
def test_the_bounds_of_the_data(subject, kind):
    given, theta = subject(kind, 30, make=Other, seed=2)
    made = Bounds(given)
    found = made.measure(theta)
    assert tuple(found) == tuple(made.names)
    assert all(mine == other for mine, other in found.values()) and found["elbo"][0] < found["iwae"][0]
    x = given.model.batch(30, samples=given.reference.odd(0, 30)).samples
    size = (30, given.model.posterior.size)
    draws = [normal(stream(2, Purpose.EVALUATE, 0, part=1 + i), size) for i in range(DRAWS)]
    elbo, iwae = given.model.bounds(theta, x, draws)
    assert found["elbo"][1] == pytest.approx(elbo.mean()) and found["iwae"][1] == pytest.approx(iwae.mean())


def test_text_is_measured_in_bits_a_character(subject):
    given, theta = subject("rvae", 10)
    found = Bounds(given).measure(theta)
    bits = [-bound / np.log(2) / 12 for bound in found["iwae"]]
    assert found["bits_a_character"] == pytest.approx(bits)


def test_only_autoencoders_have_bounds(subject):
    given, _ = subject("gan", 10)
    assert not Bounds.serves(given.model, given.reference.schema)
