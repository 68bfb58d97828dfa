from math import log10, prod

import numpy as np
import pytest

from hpcgen.metrics import spectrum
from hpcgen.metrics.blocks import ROWS_A_BLOCK, blocks

SIZES = [(2,), (9,), (16,), (8, 8), (9, 7), (6, 9), (6, 16), (5, 8), (4, 6, 6)]


def wave(sizes, cycles):
    """A plane wave with so many cycles along each axis, as one sample of one channel."""
    places = np.meshgrid(*map(np.arange, sizes), indexing="ij")
    phase = sum(2 * np.pi * k * p / size for k, p, size in zip(cycles, places, sizes))
    return np.cos(phase + 0.3)[None, ..., None]


@pytest.mark.parametrize(
    "sizes, cycles, expected",
    [
        ((16,), (3,), 3),
        ((16,), (8,), 8),
        ((9,), (4,), 4),
        ((8, 8), (0, 0), 0),
        ((8, 8), (2, 0), 2),
        ((8, 8), (2, -2), 3),
        ((16, 8), (3, 0), 3),
        ((16, 8), (0, 3), 6),
        ((6, 6, 6), (1, 1, 1), 2),
    ],
)
def test_a_plane_wave_lies_in_one_bin(sizes, cycles, expected):
    x = wave(sizes, cycles)
    power = spectrum.radial_power(x)
    assert power[expected] == pytest.approx((x**2).sum())
    assert np.delete(power, expected) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("sizes", SIZES)
def test_against_a_loop_over_waves(sizes, random):
    x = random.standard_normal((3, *sizes, 2))
    waves = np.fft.fftn(x, axes=range(1, x.ndim - 1))
    longest = max(sizes)
    expected = np.zeros(1 + min(longest * (size // 2) // size for size in sizes))
    for index in np.ndindex(sizes):
        cycles = [min(i, size - i) * longest / size for i, size in zip(index, sizes)]
        bin = int(np.linalg.norm(cycles) + 0.5)
        if bin < len(expected):
            expected[bin] += (np.abs(waves[(slice(None), *index)]) ** 2).sum() / prod(sizes) / 2
    assert spectrum.radial_power(x) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [2, 9, 16])
def test_parseval(size, random):
    x = random.standard_normal((5, size, 3))
    assert spectrum.radial_power(x).sum() == pytest.approx((x**2).sum() / 3)


def test_the_mean_is_over_samples_and_channels(random):
    x = random.standard_normal((2 * ROWS_A_BLOCK + 3, 4, 4, 2)).astype(np.float32)
    found = spectrum.mean([spectrum.radial_power(x[block]) for block in blocks(len(x))], len(x))
    single = [spectrum.radial_power(sample[None, ..., c : c + 1]) for sample in x for c in range(2)]
    assert found == pytest.approx(np.mean(single, axis=0), rel=1e-12)


def test_distance_in_decibels(random):
    p = random.uniform(1, 2, 9)
    assert spectrum.distance(p, p) == 0
    assert spectrum.distance(p, 4 * p) == spectrum.distance(4 * p, p) == pytest.approx(20 * log10(2))
    assert spectrum.distance(np.array([1.0, 1, 1]), np.array([7.0, 10, 1])) == pytest.approx(10 / 2**0.5)


def test_no_power_is_rounding():
    nothing, mean, waves = np.zeros(3), np.array([1.0, 0, 0]), np.array([0.0, 1, 1])
    assert spectrum.distance(nothing, nothing) == spectrum.distance(mean, mean) == 0
    assert spectrum.distance(waves, nothing) == pytest.approx(10 * log10(2**51))


@pytest.mark.parametrize("shape", [(3, 8), (3, 8, 1, 2), (3, 4, 4, 4, 4, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="1 to 3 axes"):
        spectrum.radial_power(np.zeros(shape))
