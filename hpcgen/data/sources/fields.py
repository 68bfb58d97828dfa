"""Random fields with a power-law spectrum, whose expected spectrum is known. They serve to check a model."""

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.errors import InputError
from hpcgen.metrics.power_law import expected_power, wave_power
from hpcgen.streams import Purpose, stream

# The most numbers in a field: 1,024^3.
MOST_NUMBERS = 1 << 30
# The least power of a wave, in units of the variance. Rounding to float32 adds less than 2^-48 to each wave.
LEAST_POWER = 100 * 2.0**-48


class Fields(Source):
    """Gaussian random fields (size, ..., 1) on a periodic grid: mean zero, unit variance in expectation.

    Their spectrum follows k^slope (`hpcgen.metrics.power_law`). /spectrum (bins,) is the exact expectation of
    their radial power. A field is white noise whose waves are scaled. Its bits follow from the seed and the
    number of its row. A rank holds one field in float64 at a time.
    """

    kind, dtype, name = "array", np.float32, "fields"

    def __init__(self, rows: int, size: int, slope: float, seed: int, axes: int = 3) -> None:
        if size**axes > MOST_NUMBERS:
            raise InputError(
                f"fields: {size**axes:,} numbers in a field are more than {MOST_NUMBERS:,}; give a smaller "
                "--size"
            )
        sizes = (size,) * axes
        power = wave_power(sizes, slope)
        if power.reshape(-1)[1:].min() < LEAST_POWER:
            raise InputError(
                f"fields: with slope {slope:g}, rounding to float32 hides the faintest waves; give a --slope "
                f"nearer to {axes - 1}, or a smaller --size"
            )
        self.rows, self.shape, self._seed = rows, (*sizes, 1), seed
        self._amplitude = np.sqrt(power[..., : size // 2 + 1])
        self.attributes, self.constants = {"slope": slope}, {"spectrum": expected_power(sizes, slope)}

    def read(self, start: int, stop: int) -> Rows:
        fields = np.empty((stop - start, *self.shape), np.float32)
        for field, row in zip(fields, range(start, stop), strict=True):
            field[..., 0] = self._field(row)
        return Rows(fields)

    def _field(self, row: int) -> np.ndarray:
        """Return a field (size, ...) in float64. Waves of white noise have unit power, and its symmetry makes
        the field real."""
        sizes = self.shape[:-1]
        waves = np.fft.rfftn(stream(self._seed, Purpose.FIELDS, row).standard_normal(sizes))
        waves *= self._amplitude
        return np.fft.irfftn(waves, sizes, range(len(sizes)))
