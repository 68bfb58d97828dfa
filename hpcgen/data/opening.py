"""Open a data file, and read the description of its rows."""

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.schema import Schema
from hpcgen.data.writing import VERSION
from hpcgen.errors import InputError
from hpcgen.files.reading import CHECKSUMS, attempt, has_checksums, open_file

# How many of the first rows, and of the last rows, identify a file without checksums.
FINGERPRINT_ROWS = 64


@contextmanager
def open_data(path: Path | str) -> Iterator[h5py.File]:
    """Open a data file for reading, and check that it holds samples. Raises InputError."""
    with open_file(path, "make it with 'hpcgen prepare'") as file:
        attempt(path, "its datasets", lambda: _require_samples(path, file))
        yield file


def _require_samples(path: Path | str, file: h5py.File) -> None:
    version = file.attrs.get("version", VERSION)
    if not (isinstance(version, (int, np.integer)) and 1 <= version <= VERSION):
        raise InputError(
            f"{path}: data file of version {version}; this hpcgen reads up to {VERSION}: "
            "update hpcgen, or prepare it again"
        )
    if not isinstance(_item(file, "samples"), h5py.Dataset):
        raise InputError(f"{path}: no dataset /samples; make a data file with 'hpcgen prepare'")
    samples, text = file["samples"], file.attrs.get("kind") == "text"
    types = (np.uint8, np.uint16) if text else (np.uint8, np.float32)
    if samples.dtype not in types or samples.ndim < 2 or 0 in samples.shape[1:]:
        _refuse(path, samples)
    rows = len(samples)
    inputs, labels = _item(file, "inputs"), _item(file, "labels")
    if inputs is not None and (inputs.dtype != np.float32 or inputs.ndim != 2 or len(inputs) != rows):
        raise InputError(f"{path}: /inputs is {_shown(inputs)}, not float32 ({rows}, p)")
    if labels is not None and (labels.dtype.kind not in "iu" or labels.shape != (rows,)):
        raise InputError(f"{path}: /labels is {_shown(labels)}, not integers ({rows},)")


def _item(file: h5py.File, name: str) -> Any:
    """Return the item of this name, or None. Group.get would hide a failure of the system."""
    if name not in file:
        return None
    return file[name]


def _refuse(path: Path | str, samples: h5py.Dataset) -> None:
    raise InputError(
        f"{path}: /samples is {_shown(samples)}, not uint8 or float32 (n, ...); "
        f"convert it with 'hpcgen prepare array {path} OUT.h5 --name samples'"
    )


def _shown(dataset: h5py.Dataset) -> str:
    return f"{dataset.dtype} of shape {dataset.shape}"


def schema_of(file: h5py.File) -> Schema:
    """Return the Schema, with the values that the file itself declares."""
    samples, kind = file["samples"], str(file.attrs.get("kind", "array"))
    low, high = declared_range(file) or (None, None)
    vocabulary = _vocabulary(file) if kind == "text" else ""
    units = str(file.attrs.get("units", "characters"))
    rate = file.attrs.get("rate", 0) if kind == "audio" else 0
    if kind == "audio" and not (isinstance(rate, (int, np.integer)) and rate > 0):
        raise InputError(
            f"{file.filename}: audio needs the attribute rate, the numbers per second; "
            "make it with 'hpcgen prepare audio'"
        )
    return Schema(
        samples.shape[1:],
        str(samples.dtype),
        kind,
        low,
        high,
        rate=int(rate),
        vocabulary=vocabulary,
        units=units,
    )


def _vocabulary(file: h5py.File) -> str:
    remedy = "make it with 'hpcgen prepare text'"
    if "vocabulary" not in file:
        raise InputError(f"{file.filename}: text without /vocabulary; {remedy}")
    if file["samples"].ndim != 2:
        raise InputError(
            f"{file.filename}: text in /samples of shape {file['samples'].shape}, not (n, length); {remedy}"
        )
    points = file["vocabulary"][...]
    plain = points.dtype.kind in "iu" and points.ndim == 1 and len(np.unique(points)) == len(points)
    most = 0xFF if file.attrs.get("units") == "bytes" else 0x10FFFF
    if not plain or np.any((points < 0) | (points > most) | ((points >= 0xD800) & (points < 0xE000))):
        raise InputError(
            f"{file.filename}: /vocabulary must hold distinct Unicode code points or bytes; {remedy}"
        )
    return "".join(map(chr, points))


def fingerprint(file: h5py.File) -> str:
    """Return a string that identifies the rows of a file: shape, type, and a CRC-32.

    The CRC-32 covers the checksums. In a file without checksums it covers the first and the last rows.
    """
    known = has_checksums(file)

    def read() -> str:
        samples, crc = file["samples"], 0
        for name in (*Rows._fields, "vocabulary"):
            if name not in file:
                continue
            if known:
                parts = [file[f"{CHECKSUMS}/{name}"][...]]
            else:
                parts = [file[name][:FINGERPRINT_ROWS], file[name][-FINGERPRINT_ROWS:]]
            for part in parts:
                crc = zlib.crc32(np.ascontiguousarray(part).data, crc)
        return f"{samples.shape} {samples.dtype} {crc:08x}"

    return attempt(file.filename, "its rows", read)


def declared_range(file: h5py.File) -> tuple[float, float] | None:
    """Return the attributes (low, high), or None if the file lacks one of them.

    Raises InputError if they do not form an interval.
    """
    given = [file.attrs[name] for name in ("low", "high") if name in file.attrs]
    if len(given) < 2:
        return None
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)):
        raise InputError(
            f"{file.filename}: attributes low, high are {given[0]}, {given[1]}; "
            "they must be numbers, low < high"
        )
    return low, high
