"""Features of samples, computed by a trained classifier."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from hpcgen.checkpoints.loading import load_together
from hpcgen.errors import InputError
from hpcgen.evaluation.features import Features


def test_features_are_the_classifiers_last_hidden_layer(comm, trained):
    path, data = trained("classifier")
    state = load_together(path, comm)
    features = Features(state)
    with h5py.File(data) as file:
        samples = file["samples"][:5]
    found = features.of(samples)
    assert found.shape == (5, features.width) and features.width == 64
    assert np.allclose(features.of(samples[2:3])[0], found[2], atol=1e-5)
    features.require(state.schema)
    for other in ({"shape": (8, 8, 3)}, {"dtype": "float32"}):
        with pytest.raises(InputError, match="was trained on samples of another shape or type"):
            features.require(replace(state.schema, **other))


def test_only_a_classifier_has_features(comm, trained):
    state = load_together(trained("vae")[0], comm)
    with pytest.raises(InputError, match='--features needs a checkpoint of model.kind = "classifier"'):
        Features(state)
