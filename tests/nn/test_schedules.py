"""What is left of the learning rate after a share of its decay."""

from math import sqrt

import numpy as np
import pytest

from hpcgen.nn.schedules import SCHEDULES


def test_a_quarter_a_half_and_three_quarters():
    shares = (0.25, 0.5, 0.75)
    assert [SCHEDULES["constant"](share) for share in shares] == [1, 1, 1]
    assert [SCHEDULES["linear"](share) for share in shares] == [0.75, 0.5, 0.25]
    assert [SCHEDULES["cosine"](share) for share in shares] == pytest.approx(
        [(2 + sqrt(2)) / 4, 0.5, (2 - sqrt(2)) / 4]
    )


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_rate_begins_whole_never_rises_and_ends_at_zero_unless_it_is_constant(name):
    factors = [SCHEDULES[name](share) for share in np.linspace(0, 1, 101)]
    assert factors[0] == 1 and factors[-1] == pytest.approx(float(name == "constant"), abs=1e-15)
    assert factors == sorted(factors, reverse=True)
