"""Samples are generated block by block. Any part of them has the same bits."""

import numpy as np
import pytest

from hpcgen.sampling.generation import generate
from hpcgen.sampling.origins import Prior


@pytest.mark.parametrize("kind", ["gan", "conditional", "vae", "rvae", "sound"])
def test_a_part_of_the_samples_is_the_same_bits(loaded, kind):
    model, state, _ = loaded(kind)

    def drawn(start, stop, seed=3):
        return generate(model, state.sampled, state.schema, Prior(model, seed), start, stop)

    samples = drawn(0, 150)
    assert samples.shape == (150, *state.schema.shape) and samples.dtype == state.schema.dtype
    for start, stop in ((0, 1), (63, 65), (64, 128), (149, 150), (70, 70)):
        assert np.array_equal(drawn(start, stop), samples[start:stop])
    assert drawn(0, 0).shape == (0, *state.schema.shape) and drawn(0, 0).dtype == samples.dtype
    assert not np.array_equal(drawn(0, 150, seed=4), samples)
