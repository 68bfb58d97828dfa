import sys

import numpy as np
import pytest

from hpcgen.data.sources.diabetes import Diabetes
from hpcgen.errors import InputError


def test_diabetes(in_pieces, prepared):
    samples, inputs, _ = in_pieces(Diabetes())
    assert samples.shape == (442, 1) and inputs.shape == (442, 10) and inputs.dtype == np.float32
    # The first patient of the original table: 59 years, body mass index 32.1, progression 151.
    assert samples[0] == 151 and inputs[0, [0, 2]] == pytest.approx([59, 32.1])
    datasets, attributes = prepared(Diabetes, keep_order=True)
    assert np.array_equal(datasets["inputs"], inputs) and np.array_equal(datasets["samples"], samples)
    assert (attributes["kind"], attributes["low"], attributes["high"]) == ("array", 25, 346)


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match="pip install"):
        Diabetes()
