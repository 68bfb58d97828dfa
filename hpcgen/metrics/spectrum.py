"""Radial power spectra of fields, and their distance.

A wave number counts cycles along the longest side. Points have the same spacing along all axes. Therefore a
wave number means the same wavelength in every direction, even if the sides have different lengths. Bin b
holds the power of the wave numbers in [b - 1/2, b + 1/2). Bin 0 includes the power of the mean. The last bin
is the highest wave number that every axis resolves (Nyquist). Higher wave numbers exist only in some
directions.
"""

from collections.abc import Iterable, Sequence
from math import sqrt

import numpy as np

from hpcgen.metrics.blocks import finite


def radial_power(x: np.ndarray) -> np.ndarray:
    """Return the power (bins,) of the block of fields x (n, *sizes, channels), summed over samples and
    averaged over channels.

    Power is |F|^2 of the orthonormal Fourier transform, added up within a bin. Over all wave numbers it adds
    up to the sum of x^2 (Parseval). Raises ValueError unless there are 1 to 3 sizes, of two points or more.
    """
    sizes = x.shape[1:-1]
    if not 1 <= len(sizes) <= 3 or min(sizes) < 2:
        raise ValueError(f"a spectrum needs fields with 1 to 3 axes of two points or more, not {sizes}")
    power = np.zeros(sizes)
    # Transform one sample at a time: a block of volumes would need gigabytes.
    for sample in x:
        waves = np.fft.fftn(finite(sample), axes=range(len(sizes)), norm="ortho")
        power += (waves.real**2 + waves.imag**2).mean(-1)
    return binned(power)


def binned(power: np.ndarray) -> np.ndarray:
    """Return the power (bins,) of the waves in each bin, from the power (*sizes) of each wave."""
    longest = max(power.shape)
    last = min(size // 2 * longest // size for size in power.shape)
    bins = (wave_numbers(power.shape) + 0.5).astype(int)
    return np.bincount(bins.ravel(), power.ravel())[: last + 1]


def wave_numbers(sizes: Sequence[int]) -> np.ndarray:
    """Return the wave number of each wave, in any direction, as an array of `sizes`."""
    longest = max(sizes)
    axes = [np.minimum(np.arange(size), size - np.arange(size)) * longest / size for size in sizes]
    return np.sqrt(sum(axis * axis for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))


def mean(parts: Iterable[np.ndarray | float], n: int) -> np.ndarray | float:
    """Return the mean power spectrum (bins,) of n samples, from the sums of all blocks, in order."""
    return sum(parts) / n


def distance(p: np.ndarray, q: np.ndarray) -> float:
    """Return the log spectral distance of two spectra (bins,) in dB: the root mean square of 10 log10(p / q).

    Gray & Markel 1976 (doi:10.1109/TASSP.1976.1162849). Bin 0, the mean, is left out. Power below eps times
    the greater total is a rounding error and is raised to that level. The distance of two spectra without
    power is 0 dB.
    """
    floor = np.finfo(np.float64).eps * max(p.sum(), q.sum())
    if not floor:
        return 0.0
    decibels = 10 * np.log10(np.maximum(p[1:], floor) / np.maximum(q[1:], floor))
    return sqrt(np.mean(decibels**2))
