import numpy as np
import pytest
from PIL import Image

from hpcgen.sampling.plots import CELL, CURVE_CELL, GAP, save_plot


def drawn(folder, samples):
    save_plot(samples, folder / "x.png", 0, 1)
    return np.asarray(Image.open(folder / "x.png"))


@pytest.mark.parametrize(
    "shape", [(56, 56), (56, 56, 1), (56, 56, 3), (56, 56, 2), (9, 56, 56), (9, 56, 56, 3)]
)
def test_pictures_lie_side_by_side(tmp_path, random, shape):
    samples = random.random((3, *shape))
    picture = drawn(tmp_path, samples)
    side = 3 * GAP + 2 * CELL
    assert picture.shape == ((side, side, 3) if shape[-1] == 3 else (side, side))
    third = picture[2 * GAP + CELL : -GAP, GAP : GAP + CELL]
    expected = samples[2, 4] if shape[0] == 9 else samples[2]
    expected = expected[..., 0] if expected.ndim == 3 and expected.shape[-1] < 3 else expected
    assert np.array_equal(third, np.rint(expected * 255))


def test_small_pictures_are_enlarged(tmp_path, random):
    assert drawn(tmp_path, random.random((1, 8, 8))).shape == (CELL + 2 * GAP,) * 2


@pytest.mark.parametrize("shape", [(100,), (100, 2), (9000,), (3,), (1,), (3, 3, 3, 3, 3)])
def test_all_else_is_drawn_as_curves(tmp_path, random, shape):
    picture = drawn(tmp_path, random.random((4, *shape)))
    side = 2 * CURVE_CELL + 3 * GAP
    assert picture.shape == (side, side, 3) and (shape == (1,) or picture.std() > 0)


@pytest.mark.parametrize("length", [10, 100, 9000])
def test_a_curve_goes_through_its_numbers(tmp_path, length):
    """A channel each: one that rises, one that stays below the range."""
    sample = np.stack([np.linspace(0, 1, length), np.full(length, -5.0)], 1)
    picture = drawn(tmp_path, sample[None])[GAP:-GAP, GAP:-GAP].astype(int)
    for x in range(20, 90, 10):
        (rising,) = np.nonzero(picture[:80, x, 0] < 200)
        assert abs(rising.mean() - (CURVE_CELL - 1 - x)) <= 1
    assert (np.abs(picture[-1, 30:-2] - np.array([0xD5, 0x5E, 0x00])) < 8).all()
