"""Samples that are decoded from codes: reconstructions and interpolations."""

import numpy as np
import pytest

from hpcgen.data.reading import DataFiles
from hpcgen.sampling.codes import Interpolation, Reconstruction, between
from hpcgen.sampling.origins import Prior


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_way_between_two_codes_is_the_great_circle(random, share):
    a, b = random.standard_normal((2, 5, 7))
    a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b))
    found = between(a, b, np.full((5, 1), share))
    assert found.dtype == np.float32 and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    angle, whole = np.arccos((found * a).sum(1).clip(-1, 1)), np.arccos((a * b).sum(1))
    assert np.allclose(angle, share * whole, atol=1e-3)


def test_codes_in_one_direction_are_joined_by_a_line():
    a = np.array([[1.0, 2.0]])
    assert np.allclose(between(a, 3 * a, np.array([[0.5]])), 2 * a)
    assert np.allclose(between(a, -a, np.array([[0.25]])), 0.5 * a)


@pytest.mark.parametrize("steps", [2, 9, 130])
def test_paths_lead_from_each_code_to_the_next(loaded, steps):
    """A path may lie in several blocks, and need the codes of several."""
    ends = Prior(loaded("vae")[0], 5)
    codes = np.concatenate([ends.codes(block) for block in range(3)])
    path = Interpolation(ends, steps)
    found = np.concatenate([path.codes(block) for block in range(4)])
    assert path.rows is None and path.group == steps
    for i in range(256 // steps):
        assert np.allclose(found[i * steps], codes[i], atol=1e-5)
        assert np.allclose(found[(i + 1) * steps - 1], codes[i + 1], atol=1e-5)


def test_reconstructions_start_from_the_posteriors_means(loaded):
    model, state, path = loaded("vae")
    with DataFiles([path]) as files:
        origin = Reconstruction(model, state.sampled, files)
        rows = files.read(64, 128, ("samples",)).samples
        means, _ = model.codes(state.sampled, model.batch(64, samples=rows).samples)
        assert np.array_equal(origin.codes(1), means)
        batch = origin.batch(1)
        assert np.array_equal(batch.noise, means) and batch.random is None and origin.columns() == {}
        assert (origin.rows, origin.group, Interpolation(origin, 3).rows) == (1797, 2, 3 * 1796)
        assert len(origin.codes(1797 // 64)) == 64


def test_reconstructions_are_shown_after_their_originals(loaded, random):
    model, state, path = loaded("vae")
    with DataFiles([path]) as files:
        samples = random.integers(0, 255, (70, 8, 8, 1), np.uint8)
        shown = Reconstruction(model, state.sampled, files).with_originals(samples)
        assert np.array_equal(shown[1::2], samples)
        assert np.array_equal(shown[::2], files.read(0, 70, ("samples",)).samples)
