"""The data file: /samples (n, ...) uint8 or float32, optional /inputs (n, p) float32 and /labels (n,), attributes kind,
source, low, high.

Text is tokens, uint8 or uint16, with /vocabulary (code points, or bytes) and the attribute units; audio has the attribute rate.
Any HDF5 file with /samples will do; one that `hpcgen prepare` wrote is verified against its checksums as it is read.
"""

import math
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import NamedTuple

import h5py
import numpy as np

from hpcgen.data.schema import Schema
from hpcgen.errors import DamagedError, InputError
from hpcgen.files.checksums import read_rows
from hpcgen.files.reading import CHECKSUMS, has_checksums, open_file
from hpcgen.parallel.partition import Partition

# Labels count classes; greater ones are other numbers by mistake.
MOST_CLASSES = 1 << 20
# First and last rows that tell a file without checksums from another.
SOME = 64


class Rows(NamedTuple):
    """Rows of a data file, as they lie there: samples (n, ...), and inputs (n, p) and labels (n,) or None."""

    samples: np.ndarray
    inputs: np.ndarray | None = None
    labels: np.ndarray | None = None

    def __len__(self):
        return len(self.samples)

    def map(self, function):
        """Return the Rows of function(column) for each column that is there."""
        return Rows(*(None if column is None else function(column) for column in self))

    @classmethod
    def joined(cls, parts):
        """Return the Rows of several, one after the other."""
        return (
            parts[0]
            if len(parts) == 1
            else cls(*(None if c[0] is None else np.concatenate(c) for c in zip(*parts)))
        )


class DataFiles:
    """One data file, or several as one, open for reading: their rows follow each other.

    Attributes: `schema`, without what only all rows together tell (classes, inputs, outputs; low and high are None unless all
    files declare them), `rows`, the columns' `names`, and `fingerprint`, which tells data from other data. Raises InputError.
    """

    def __init__(self, paths):
        with ExitStack() as stack:
            self._files = [stack.enter_context(open_data(path)) for path in paths]
            self.names = [name for name in Rows._fields if name in self._files[0]]
            schemas = [_schema(file) for file in self._files]
            for path, file, schema in zip(paths, self._files, schemas):
                self._require_same(paths[0], path, file, schemas[0], schema)
            ranges = [(schema.low, schema.high) for schema in schemas]
            known = all(low is not None for low, _ in ranges)
            low, high = (
                (min(low for low, _ in ranges), max(high for _, high in ranges)) if known else (None, None)
            )
            self.schema = replace(schemas[0], low=low, high=high)
            self._parts = Partition(len(file["samples"]) for file in self._files)
            self.rows = self._parts.total
            self.fingerprint = "; ".join(map(fingerprint, self._files))
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self._stack.close()

    def _require_same(self, first_path, path, file, first, schema):
        names = [name for name in Rows._fields if name in file]
        mine, theirs = replace(schema, low=None, high=None), replace(first, low=None, high=None)
        shapes = [{name: f[name].shape[1:] for name in names if name in f} for f in (file, self._files[0])]
        if (mine, names, shapes[0]) != (theirs, self.names, shapes[1]):
            raise InputError(
                f"{path}: not the same kind of rows as {first_path}; data files used as one must agree in all"
            )

    def constant(self, name):
        """Return the array of that name that stands beside the rows of every file, and is the same in all, or None."""
        arrays = [file[name][...] if name in file else None for file in self._files]
        same = all(array is not None and np.array_equal(array, arrays[0]) for array in arrays)
        return arrays[0] if same else None

    def width(self, name):
        """Return the numbers in a row of a column."""
        return math.prod(self._files[0][name].shape[1:])

    @property
    def row_bytes(self):
        return sum(self.width(name) * self._files[0][name].dtype.itemsize for name in self.names)

    def read(self, start, stop, names=Rows._fields):
        """Return rows [start, stop), verified where the files have checksums, finite in any case, of the columns `names`."""
        wanted = [name if name in self.names and name in names else None for name in Rows._fields]
        # Rows that are none have a shape too.
        pieces = list(self._parts.pieces(start, stop)) or [(0, slice(0, 0), None)]
        parts = [
            Rows(*(name and _column(self._files[part], name, inside, self.schema) for name in wanted))
            for part, inside, _ in pieces
        ]
        return Rows.joined(parts)


def require_suitable(path, files, schema, owner):
    """Raise InputError unless the samples of `files` (at `path`) are of the kind that `owner`, a checkpoint, was trained on."""
    mine, theirs = files.schema, schema
    for name in ("shape", "dtype", "kind", "vocabulary", "rate"):
        if getattr(mine, name) != getattr(theirs, name):
            if name == "vocabulary":
                raise InputError(
                    f"{path}: has another vocabulary than the data of {owner}; prepare both together"
                )
            raise InputError(
                f"{path}: {name} of samples is {getattr(mine, name)}, not {getattr(theirs, name)} as for {owner}"
            )


def paths_of(path):
    """Return the list of paths that data.path stands for."""
    return [path] if isinstance(path, str) else list(path)


@contextmanager
def open_data(path):
    """Open a data file for reading, after checking that it holds samples. Raises InputError."""
    with open_file(path, "make it with 'hpcgen prepare'") as file:
        if not isinstance(file.get("samples"), h5py.Dataset):
            raise InputError(f"{path}: no dataset /samples; make a data file with 'hpcgen prepare'")
        samples, text = file["samples"], file.attrs.get("kind") == "text"
        if samples.dtype not in ((np.uint8, np.uint16) if text else (np.uint8, np.float32)):
            _refuse(path, samples)
        if samples.ndim < 2 or 0 in samples.shape[1:]:
            _refuse(path, samples)
        rows = len(samples)
        if "inputs" in file and (
            file["inputs"].dtype != np.float32 or file["inputs"].ndim != 2 or len(file["inputs"]) != rows
        ):
            raise InputError(f"{path}: /inputs is {_shown(file['inputs'])}, not float32 ({rows}, p)")
        if "labels" in file and (file["labels"].dtype.kind not in "iu" or file["labels"].shape != (rows,)):
            raise InputError(f"{path}: /labels is {_shown(file['labels'])}, not integers ({rows},)")
        yield file


def _refuse(path, samples):
    raise InputError(
        f"{path}: /samples is {_shown(samples)}, not uint8 or float32 (n, ...); "
        f"convert it with 'hpcgen prepare array {path} OUT.h5 --name samples'"
    )


def _shown(dataset):
    return f"{dataset.dtype} of shape {dataset.shape}"


def _schema(file):
    """Return what the file itself says of its rows."""
    samples, kind = file["samples"], str(file.attrs.get("kind", "array"))
    low, high = declared_range(file) or (None, None)
    vocabulary = _vocabulary(file) if kind == "text" else ""
    units, rate = (
        str(file.attrs.get("units", "characters")),
        file.attrs.get("rate", 0) if kind == "audio" else 0,
    )
    if kind == "audio" and not (isinstance(rate, (int, np.integer)) and rate > 0):
        raise InputError(
            f"{file.filename}: audio needs the attribute rate, samples a second; make it with 'hpcgen prepare audio'"
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


def _vocabulary(file):
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
    if not plain or np.any((points < 0) | (points > most) | ((0xD800 <= points) & (points < 0xE000))):
        raise InputError(
            f"{file.filename}: /vocabulary must be different code points of Unicode, or bytes; {remedy}"
        )
    return "".join(map(chr, points))


def _column(file, name, rows, schema):
    if has_checksums(file):
        values = read_rows(file, name, rows.start, rows.stop)
    else:
        try:
            values = file[name][rows]
        except OSError as error:
            raise DamagedError(f"{file.filename}: /{name} cannot be read: {error}") from None
    return CHECKS[name](file.filename, values, rows.start, schema)


def _known_samples(name, rows, first, schema):
    if schema.kind == "text" and rows.size and rows.max() >= len(schema.vocabulary):
        row = int(np.argmax(rows.reshape(len(rows), -1).max(1) >= len(schema.vocabulary)))
        raise InputError(
            f"{name}: row {first + row} holds token {rows[row].max()}, outside the vocabulary of {len(schema.vocabulary)}"
        )
    finite_rows(name, rows, first)
    if rows.dtype.kind == "f" and schema.low is not None:
        # Rounding on the way from a model's interval is not meant.
        slack = 1e-3 * (schema.high - schema.low)
        outside = ((rows < schema.low - slack) | (rows > schema.high + slack)).reshape(len(rows), -1).any(1)
        if outside.any():
            raise InputError(
                f"{name}: row {first + int(outside.argmax())} holds numbers outside the attributes low, high = "
                f"{schema.low:g}, {schema.high:g}; correct them, or leave them out"
            )
    return rows


def known_labels(name, labels, first):
    """Return `labels` as int64; raise InputError that names the first row, counted from `first`, with one that is no class."""
    for bad, why in (
        (labels < 0, "labels count from 0"),
        (labels >= MOST_CLASSES, f"{MOST_CLASSES:,} are the most"),
    ):
        if bad.any():
            raise InputError(
                f"{name}: row {first + int(bad.argmax())} has label {labels[bad.argmax()]}; {why}"
            )
    return labels.astype(np.int64)


CHECKS = {
    "samples": _known_samples,
    "inputs": lambda name, rows, first, schema: finite_rows(name, rows, first, "inputs"),
    "labels": lambda name, rows, first, schema: known_labels(name, rows, first),
}


def fingerprint(file):
    """Return what tells the rows of one file from those of another: shape, type, and checksums, or of a file that has none some
    of its rows."""
    samples, known, crc = file["samples"], has_checksums(file), 0
    for name in (*Rows._fields, "vocabulary"):
        if name in file:
            try:
                parts = (
                    [file[f"{CHECKSUMS}/{name}"][...]] if known else [file[name][:SOME], file[name][-SOME:]]
                )
            except OSError as error:
                raise DamagedError(f"{file.filename}: /{name} cannot be read: {error}") from None
            for part in parts:
                crc = zlib.crc32(np.ascontiguousarray(part), crc)
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
        raise InputError(
            f"{file.filename}: attributes low, high are {given[0]}, {given[1]}; they must be numbers, low < high"
        )
    return low, high


def finite_rows(name, rows, first, column="samples"):
    """Return `rows`; raise InputError that names the first row, counted from `first`, with NaN or infinity."""
    if rows.dtype.kind == "f":
        finite = np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))
        if not finite.all():
            row = first + int(np.argmin(finite))
            raise InputError(f"{name}: row {row} of the {column} holds NaN or infinity; remove or repair it")
    return rows
