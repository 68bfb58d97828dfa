"""Random fields whose spectrum is a power law, and the closed form of their radial power.

The spectrum E(k) is the power within a shell of wave numbers about k, as in turbulence, where its slope is
-5/3. A shell has about k^(axes - 1) waves. Each wave therefore has power in proportion to
k^(slope - axes + 1): the power follows from the exact wave number, not from a bin.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from hpcgen.metrics.spectrum import binned, wave_numbers


def wave_power(sizes: Sequence[int], slope: float) -> np.ndarray:
    """Return the expected power of each wave, |F|^2 of the orthonormal Fourier transform, as an array of
    `sizes`.

    The mean has no power. The other waves together have that of unit variance: the number of points.
    """
    power = wave_numbers(sizes)
    np.power(power, slope - len(sizes) + 1, out=power, where=power > 0)
    power *= prod(sizes) / power.sum()
    return power


def expected_power(sizes: Sequence[int], slope: float) -> np.ndarray:
    """Return the expectation (bins,) of `hpcgen.metrics.spectrum.radial_power` of one field.

    It is exact: the sum over the waves in each bin. It departs from k^slope as far as the number of these
    waves departs from k^(axes - 1).
    """
    return binned(wave_power(sizes, slope))
