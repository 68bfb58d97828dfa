"""Samples from a .npy or .npz file, or from any HDF5 dataset. The first axis counts the samples."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.errors import InputError
from hpcgen.files.reading import attempt, content, open_file, reread


class Array(Source):
    """An array of samples. uint8 stays uint8. Every other real type becomes float32. An array (n, height,
    width, 1 or 3) of uint8 holds images.

    `inputs` and `labels` name arrays in the same file. They become /inputs (numbers) and /labels (integers
    from 0).
    """

    def __init__(
        self, path: Path | str, name: str | None = None, inputs: str | None = None, labels: str | None = None
    ) -> None:
        self.name = Path(path).name
        reader = READERS.get(Path(path).suffix.lower(), _hdf5)
        self._rows = reader(path, name)
        shape, dtype = self._rows(None)
        if dtype.kind not in "buif" or not shape:
            raise InputError(
                f"{path}: samples must be real numbers along a first axis, not {dtype} of shape {shape}"
            )
        self.rows, self.shape = shape[0], tuple(shape[1:]) or (1,)
        self.dtype = np.uint8 if dtype == np.uint8 else np.float32
        self.kind = (
            "image"
            if self.dtype == np.uint8 and len(self.shape) == 3 and self.shape[2] in (1, 3)
            else "array"
        )
        beside = {"inputs": (inputs, "buif", (1, 2)), "labels": (labels, "ui", (1,))}
        self._beside = {
            column: self._column(reader, path, *asked)
            for column, asked in beside.items()
            if asked[0] is not None
        }
        self.columns = ("samples", *self._beside)

    def _column(
        self, reader: "Reader", path: Path | str, name: str | None, kinds: str, axes: tuple[int, ...]
    ) -> "Selected":
        rows = reader(path, name)
        shape, dtype = rows(None)
        if dtype.kind not in kinds or len(shape) not in axes or shape[0] != self.rows:
            raise InputError(
                f"{path}: {name} is {dtype} of shape {shape}, which does not suit {self.rows} samples"
            )
        return rows

    def read(self, start: int, stop: int) -> Rows:
        some = slice(start, stop)
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinity, which is refused later
            rows = self._rows(some).reshape(stop - start, *self.shape).astype(self.dtype)
            found = {column: beside(some) for column, beside in self._beside.items()}
            if "inputs" in found:
                inputs = found["inputs"]
                found["inputs"] = inputs.reshape(stop - start, *inputs.shape[1:] or (1,)).astype(np.float32)
        if "labels" in found:
            found["labels"] = found["labels"].astype(np.int64)
        return Rows(rows, **found)


# Each reader returns a function rows(selection). It returns the selected rows, or (shape, dtype) for None.
Selected = Callable[[slice | None], Any]
Reader = Callable[[Path | str, str | None], Selected]


def _numpy(path: Path | str, name: str | None) -> Selected:
    array = _loaded(path)
    if isinstance(array, np.lib.npyio.NpzFile):
        with array as arrays:
            array = _member(path, arrays, _chosen(path, name, arrays.files))
    elif name is not None:
        raise InputError(f"{path}: holds one array, which has no name; leave the name out")
    return lambda selection: (array.shape, array.dtype) if selection is None else array[selection]


def _loaded(path: Path | str) -> np.ndarray | np.lib.npyio.NpzFile:
    try:
        return np.load(path, mmap_mode="r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # NumPy parses the header as Python: a bad header may raise any error
        raise InputError(f"{path}: not a readable NumPy file, or truncated: {error}") from None


def _member(path: Path | str, arrays: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        return arrays[name]
    except Exception as error:  # as above
        raise InputError(f"{path}: {name} is damaged or not plain numbers: {error}") from None


def _hdf5(path: Path | str, name: str | None) -> Selected:
    def names() -> list[str]:
        with open_file(path, ".npy, .npz and HDF5 files can be read") as file:
            return content(file)

    chosen = _chosen(path, name and name.strip("/"), reread(path, names))

    def rows(selection: slice | None) -> Any:
        return reread(path, lambda: _selected(path, chosen, selection))

    return rows


def _selected(path: Path | str, name: str, selection: slice | None) -> Any:
    with open_file(path) as file:
        return attempt(
            path,
            f"/{name}",
            lambda: (file[name].shape, file[name].dtype) if selection is None else file[name][selection],
        )


READERS: dict[str, Reader] = {".npy": _numpy, ".npz": _numpy}


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
