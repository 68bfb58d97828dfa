"""Read the rows of one data file, or of several data files that are used as one."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TypeVar

import h5py
import numpy as np

from hpcgen.data.checks import CHECKS
from hpcgen.data.opening import fingerprint, open_data, schema_of
from hpcgen.data.rows import Rows
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.files import checksums
from hpcgen.files.reading import attempt, has_checksums, reread
from hpcgen.parallel.partition import Partition

Result = TypeVar("Result")


class DataFiles:
    """One data file, or several, open for reading. The rows of several files follow each other.

    Attributes: `schema`, `rows`, `row_bytes`, the `names` of the columns, and `fingerprint`, which differs
    for other data. The schema lacks the values that are known only after all rows are read: classes, inputs
    and outputs, and also low and high unless all files declare them. Raises InputError.
    """

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self._paths = list(paths)
        self._files: list[h5py.File] = []
        self._stack, self._closed = ExitStack(), False
        # A second thread may read the next block of rows ahead.
        self._lock = Lock()
        try:
            self._reread(self._survey)
        except BaseException:
            self.close()
            raise

    def _reread(self, function: Callable[[], Result]) -> Result:
        """Return function(), with the files open. After a failure of the system, open the files again."""

        def read() -> Result:
            if not self._files:
                self._files = [self._stack.enter_context(open_data(path)) for path in self._paths]
            return attempt(", ".join(map(str, self._paths)), "its rows", function)

        if self._closed:
            raise ValueError("the data files are closed")
        with self._lock:
            return reread(self._paths, read, renew=self._release)

    def _survey(self) -> None:
        """Read the description of the rows from the files."""
        paths, files = self._paths, self._files
        self.names = [name for name in Rows._fields if name in files[0]]
        schemas = [attempt(file.filename, "its attributes", partial(schema_of, file)) for file in files]
        for path, file, schema in zip(paths, files, schemas, strict=True):
            self._require_same(paths[0], path, file, schemas[0], schema)
        ranges = [(schema.low, schema.high) for schema in schemas]
        known = all(low is not None for low, _ in ranges)
        low, high = (
            (min(low for low, _ in ranges), max(high for _, high in ranges)) if known else (None, None)
        )
        self.schema = replace(schemas[0], low=low, high=high)
        columns = {name: files[0][name] for name in self.names}
        self._widths = {name: math.prod(column.shape[1:]) for name, column in columns.items()}
        self.row_bytes = sum(self._widths[name] * column.dtype.itemsize for name, column in columns.items())
        self._parts = Partition(len(file["samples"]) for file in files)
        self.rows = self._parts.total
        self.fingerprint = "; ".join(map(fingerprint, files))

    def __enter__(self) -> "DataFiles":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._closed = True
        self._release()

    def _release(self) -> None:
        self._files = []
        self._stack.close()

    def _require_same(
        self, first_path: Path | str, path: Path | str, file: h5py.File, first: Schema, schema: Schema
    ) -> None:
        names = [name for name in Rows._fields if name in file]
        mine, theirs = replace(schema, low=None, high=None), replace(first, low=None, high=None)
        shapes = [{name: f[name].shape[1:] for name in names if name in f} for f in (file, self._files[0])]
        if (mine, names, shapes[0]) != (theirs, self.names, shapes[1]):
            raise InputError(
                f"{path}: not the same kind of rows as {first_path}; files that are used as one must have "
                "the same columns, shapes, types and attributes"
            )

    def constant(self, name: str) -> np.ndarray | None:
        """Return the dataset of this name, which is not divided into rows, if it is the same in all files.

        Otherwise return None.
        """
        arrays = self._reread(lambda: [_whole(file, name) for file in self._files])
        first = arrays[0]
        same = first is not None and all(
            array is not None and np.array_equal(array, first) for array in arrays
        )
        return first if same else None

    def width(self, name: str) -> int:
        """Return how many numbers a row of a column has."""
        return self._widths[name]

    def read(
        self,
        start: int,
        stop: int,
        names: Sequence[str] = Rows._fields,
        region: tuple[slice, ...] = (),
    ) -> Rows:
        """Return rows [start, stop) of the columns `names`.

        `region` selects a part of each sample: one slice without a step for each of the sample's first axes.
        Only that part is read. Raises InputError for rows that `hpcgen.data.checks` refuses.
        """
        if any(axis.step not in (None, 1) for axis in region):
            raise ValueError(f"a region has no steps: {region}")
        wanted = [name for name in Rows._fields if name in self.names and name in names]
        regions = {name: region if name == "samples" else () for name in wanted}
        # An empty selection is also read, to return an array with the shape of a row.
        pieces = list(self._parts.pieces(start, stop)) or [(0, slice(0, 0), slice(0, 0))]
        return self._reread(
            lambda: Rows.joined([self._rows(part, inside, regions) for part, inside, _ in pieces])
        )

    def _rows(self, part: int, rows: slice, regions: dict[str, tuple[slice, ...]]) -> Rows:
        columns = {
            name: _column(self._files[part], name, rows, region, self.schema)
            for name, region in regions.items()
        }
        return Rows(**{name: columns.get(name) for name in Rows._fields})


def require_suitable(path: Path | str, files: DataFiles, schema: Schema, owner: Path | str) -> None:
    """Raise InputError unless the samples of `files` suit `owner`, which was trained on samples of `schema`.

    `path` and `owner` are names for the message.
    """
    mine, theirs = files.schema, schema
    for name in ("shape", "dtype", "kind", "vocabulary", "rate"):
        if getattr(mine, name) != getattr(theirs, name):
            if name == "vocabulary":
                raise InputError(
                    f"{path}: has a different vocabulary from the data of {owner}; prepare both together"
                )
            raise InputError(
                f"{path}: {name} of samples is {getattr(mine, name)}, but {getattr(theirs, name)} in {owner}"
            )


def paths_of(path: str | list[str]) -> list[str]:
    """Return the value of data.path as a list of paths."""
    return [path] if isinstance(path, str) else list(path)


def _whole(file: h5py.File, name: str) -> np.ndarray | None:
    return attempt(file.filename, f"/{name}", lambda: file[name][...] if name in file else None)


def _column(file: h5py.File, name: str, rows: slice, region: tuple[slice, ...], schema: Schema) -> np.ndarray:
    if has_checksums(file):
        values = checksums.read(file, name, rows.start, rows.stop, region)
    else:
        values = attempt(file.filename, f"/{name}", lambda: file[name][(rows, *region)])
    return CHECKS[name](file.filename, values, rows.start, schema)
