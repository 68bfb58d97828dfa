from math import prod

import numpy as np
import pytest

from hpcgen.metrics import power_law, spectrum

SIZES = [(9,), (16,), (8, 8), (9, 6), (6, 6, 6), (4, 6, 8)]


@pytest.mark.parametrize("slope", [-5 / 3, 0.0, 2.5])
@pytest.mark.parametrize("sizes", SIZES)
def test_against_a_loop_over_waves(sizes, slope):
    expected, longest = np.zeros(sizes), max(sizes)
    for index in list(np.ndindex(sizes))[1:]:
        cycles = [min(i, size - i) * longest / size for i, size in zip(index, sizes)]
        expected[index] = np.linalg.norm(cycles) ** (slope + 1 - len(sizes))
    expected *= prod(sizes) / expected.sum()
    assert power_law.wave_power(sizes, slope) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("sizes", SIZES)
def test_white_noise_is_a_power_law(sizes):
    power = power_law.wave_power(sizes, len(sizes) - 1)
    assert power.flat[0] == 0 and power.reshape(-1)[1:] == pytest.approx(prod(sizes) / (prod(sizes) - 1))


@pytest.mark.parametrize("sizes", [(1024,), (256, 256), (64, 64, 64)])
def test_bins_follow_the_slope(sizes):
    """A bin has as many waves as its shell has volume, up to a few per cent."""
    power = power_law.expected_power(sizes, -1.7)
    bins = np.arange(5, len(power))
    (slope, _), _ = np.polyfit(np.log(bins), np.log(power[5:]), 1, cov=True)
    assert power[0] == 0 and slope == pytest.approx(-1.7, abs=0.05)


@pytest.mark.parametrize("sizes", SIZES)
def test_the_expectation_is_that_of_the_radial_power(sizes, random):
    """Waves of exactly the expected power: white noise with its phases alone."""
    waves = np.fft.fftn(random.standard_normal(sizes))
    waves *= np.sqrt(power_law.wave_power(sizes, -1.7)) / np.abs(waves)
    field = np.fft.ifftn(waves, norm="ortho")
    assert np.abs(field.imag).max() < 1e-12 and (field.real**2).mean() == pytest.approx(1)
    found = spectrum.radial_power(field.real[None, ..., None])
    assert found == pytest.approx(power_law.expected_power(sizes, -1.7), rel=1e-12, abs=1e-12)
