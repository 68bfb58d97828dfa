"""The data file: /samples (n, ...) uint8 or float32, optional /labels (n,), attributes kind, source, low, high.

Any HDF5 file with /samples will do; one that `hpcgen prepare` wrote is verified against its checksums as it is read.
"""

import math
import zlib
from contextlib import contextmanager
from dataclasses import dataclass

import h5py
import numpy as np

from hpcgen import storage
from hpcgen.errors import DamagedError, InputError


@dataclass(frozen=True)
class Scale:
    """What a sample is: its shape, type and kind, and the interval of its values; maps that interval to a model's."""

    shape: tuple
    dtype: str
    kind: str
    low: float
    high: float

    def to_model(self, samples, interval):
        """Return samples as float32 with [low, high] mapped to `interval`."""
        bottom, top = interval
        slope = (top - bottom) / (self.high - self.low)
        x = samples.astype(np.float32)
        x *= np.float32(slope)
        x += np.float32(bottom - self.low * slope)
        return x

    def from_model(self, x, interval):
        """Return a model's samples in the data's own interval and type; uint8 is rounded and clipped."""
        bottom, top = interval
        samples = (x - np.float32(bottom)) * np.float32((self.high - self.low) / (top - bottom)) + np.float32(self.low)
        if self.dtype == "uint8":
            samples = np.clip(np.rint(samples), 0, 255)
        return samples.astype(self.dtype)


@contextmanager
def open_data(path):
    """Open a data file for reading, after checking that it holds samples. Raises InputError."""
    with storage.open_file(path, "make it with 'hpcgen prepare'") as file:
        if not isinstance(file.get("samples"), h5py.Dataset):
            raise InputError(f"{path}: no dataset /samples; make a data file with 'hpcgen prepare'")
        samples = file["samples"]
        if samples.dtype not in (np.uint8, np.float32) or samples.ndim < 2 or 0 in samples.shape[1:]:
            raise InputError(
                f"{path}: /samples is {samples.dtype} of shape {samples.shape}, not uint8 or float32 (n, ...); "
                f"convert it with 'hpcgen prepare array {path} OUT.h5 --name samples'"
            )
        yield file


def read_samples(file, start, stop):
    """Return rows [start, stop) of /samples, verified if the file has checksums, finite in any case."""
    if storage.has_checksums(file):
        rows = storage.read_rows(file, "samples", start, stop)
    else:
        try:
            rows = file["samples"][start:stop]
        except OSError as error:
            raise DamagedError(f"{file.filename}: /samples cannot be read: {error}") from None
    return finite_rows(file.filename, rows, start)


def fingerprint(file):
    """Return what tells the samples of one file from those of another: shape, type, and checksums where it has them."""
    samples, known = file["samples"], storage.has_checksums(file)
    crc = zlib.crc32(file[f"{storage.CHECKSUMS}/samples"][...]) if known else 0
    return f"{samples.shape} {samples.dtype} {crc:08x}"


def declared_range(file):
    """Return the attributes (low, high), or None unless the file has both. Raises InputError if they are no interval."""
    given = [file.attrs[name] for name in ("low", "high") if name in file.attrs]
    if len(given) < 2:
        return None
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)):
        raise InputError(f"{file.filename}: attributes low, high are {given[0]}, {given[1]}; they must be numbers, low < high")
    return low, high


def finite_rows(name, rows, first):
    """Return `rows`; raise InputError that names the first row, counted from `first`, with NaN or infinity."""
    if rows.dtype != np.uint8:
        finite = np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))
        if not finite.all():
            row = first + int(np.argmin(finite))
            raise InputError(f"{name}: row {row} of the samples holds NaN or infinity; remove or repair it")
    return rows
