"""Arrays in .npy, .npz and HDF5 files, of which any rows can be read."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from io import FileIO
from math import prod
from pathlib import Path
from typing import TypeAlias

import h5py
import numpy as np

from hpcgen.errors import InputError
from hpcgen.files.reading import Result, attempt, content, open_file, read_file, reread

# What is done with the rows of a window: a function of the window and the rows.
Use: TypeAlias = Callable[[slice, np.ndarray], None]


class Stored(ABC):
    """An array (n, ...) of `shape` and `dtype` in a file."""

    shape: tuple[int, ...]
    dtype: np.dtype
    # A run of this many rows is stored together: one of them takes as long to read as all.
    together: int = 1
    # Bytes of the array that are in memory all the time.
    held: int = 0
    # Bytes that a read needs besides the rows that it returns.
    needed: int = 0

    @abstractmethod
    def read(self, windows: Sequence[slice], use: Use) -> None:
        """Read the rows of each window, a slice without a step, and call use(window, rows).

        The file is open until all windows are read. If the system fails to read, all are read again.
        """


class Numpy(Stored):
    """The array of a .npy file, in either order of the axes."""

    def __init__(self, path: Path | str, array: np.memmap) -> None:
        self._path, self._first = path, array.offset
        self.shape, self.dtype = array.shape, array.dtype
        self._by_columns = not array.flags.c_contiguous
        if self._by_columns:
            self.together = self.shape[0]

    def read(self, windows: Sequence[slice], use: Use) -> None:
        def read() -> None:
            with open(self._path, "rb", buffering=0) as file:
                for window in windows:
                    use(window, self._rows(file, window.start, window.stop))

        read_file(self._path, "its rows", read)

    def _rows(self, file: FileIO, start: int, stop: int) -> np.ndarray:
        axes, columns = self.shape[1:], prod(self.shape[1:])
        if not self._by_columns:
            return self._run(file, start * columns, stop * columns).reshape(stop - start, *axes)
        rows = np.empty((columns, stop - start), self.dtype)
        for column in range(columns):
            first = column * self.shape[0]
            rows[column] = self._run(file, first + start, first + stop)
        return rows.reshape(*axes[::-1], stop - start).T

    def _run(self, file: FileIO, start: int, stop: int) -> np.ndarray:
        """Return the numbers [start, stop) in the order of the file."""
        numbers = np.empty(stop - start, self.dtype)
        file.seek(self._first + start * self.dtype.itemsize)
        rest = numbers.view(np.uint8).data
        while rest:
            read = file.readinto(rest)
            if not read:
                raise InputError(f"{self._path}: truncated while it was read; copy it again")
            rest = rest[read:]
        return numbers


class Member(Stored):
    """An array of a .npz file, which is in memory as a whole: such a file may be compressed."""

    def __init__(self, array: np.ndarray) -> None:
        self.shape, self.dtype, self.held, self._array = array.shape, array.dtype, array.nbytes, array

    def read(self, windows: Sequence[slice], use: Use) -> None:
        for window in windows:
            use(window, self._array[window])


class Dataset(Stored):
    """A dataset of an HDF5 file. The rows of a chunk are stored together. HDF5 decompresses whole chunks."""

    def __init__(self, path: Path | str, name: str) -> None:
        self._path, self._name = path, name
        self.shape, self.dtype, chunks, compressed = reread(path, self._described)
        self.together = chunks[0] if chunks else 1
        if chunks and compressed:
            # The chunk as it is stored, and as it becomes.
            self.needed = 2 * prod(chunks) * self.dtype.itemsize

    def _described(self) -> tuple[tuple[int, ...], np.dtype, tuple[int, ...] | None, bool]:
        def described() -> tuple[tuple[int, ...], np.dtype, tuple[int, ...] | None, bool]:
            dataset: h5py.Dataset = file[self._name]
            filters = dataset.id.get_create_plist().get_nfilters()
            return dataset.shape, dataset.dtype, dataset.chunks, filters > 0

        with open_file(self._path) as file:
            return self._attempt(described)

    def read(self, windows: Sequence[slice], use: Use) -> None:
        def read() -> None:
            with open_file(self._path) as file:
                dataset: h5py.Dataset = self._attempt(lambda: file[self._name])
                for window in windows:
                    use(window, self._attempt(partial(dataset.__getitem__, window)))

        reread(self._path, read)

    def _attempt(self, function: Callable[[], Result]) -> Result:
        return attempt(self._path, f"/{self._name}", function)


def stored(path: Path | str, name: str | None, most: int | None = None) -> Stored:
    """Return the array `name` of the file, or its only array.

    Raises InputError, also for an array that must be in memory and has more than `most` bytes.
    """
    return READERS.get(Path(path).suffix.lower(), _hdf5)(path, name, most)


def _numpy(path: Path | str, name: str | None, most: int | None) -> Stored:
    loaded = _loaded(path)
    if isinstance(loaded, np.lib.npyio.NpzFile):
        with loaded as arrays:
            return _member(path, arrays, _chosen(path, name, arrays.files), most)
    if name is not None:
        raise InputError(f"{path}: holds one array, which has no name; leave the name out")
    return Numpy(path, loaded)


def _loaded(path: Path | str) -> np.memmap | np.lib.npyio.NpzFile:
    try:
        return np.load(path, mmap_mode="r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # NumPy parses the header as Python: a bad header may raise any error
        raise InputError(f"{path}: not a readable NumPy file, or truncated: {error}") from None


def _member(path: Path | str, arrays: np.lib.npyio.NpzFile, name: str, most: int | None) -> Member:
    try:
        assert arrays.zip
        size = arrays.zip.getinfo(f"{name}.npy").file_size
        if most is None or size <= most:
            return Member(arrays[name])
    except Exception as error:  # as above
        raise InputError(f"{path}: {name} is damaged or not plain numbers: {error}") from None
    raise InputError(
        f"{path}: {name} has {size:,} bytes; arrays of a .npz file stay in memory, and may fill half of it: "
        "save it as .npy or HDF5, or give a larger --memory"
    )


def _hdf5(path: Path | str, name: str | None, most: int | None) -> Stored:
    def names() -> list[str]:
        with open_file(path, ".npy, .npz and HDF5 files can be read") as file:
            return content(file)

    return Dataset(path, _chosen(path, name and name.strip("/"), reread(path, names)))


READERS: dict[str, Callable[[Path | str, str | None, int | None], Stored]] = {".npy": _numpy, ".npz": _numpy}


def _chosen(path: Path | str, name: str | None, names: list[str]) -> str:
    if name is None and len(names) == 1:
        return names[0]
    if name in names:
        return name
    asked = (
        f"no array named {name}"
        if name
        else "several arrays; choose one with --name"
        if names
        else "no array"
    )
    raise InputError(f"{path}: {asked}" + (f" (it holds {', '.join(names)})" if names else ""))
