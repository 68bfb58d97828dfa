"""Read a written file back, and compare it with what was meant. MPI-IO may lose data and report success."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hpcgen.errors import DamagedError, InputError, WriteError
from hpcgen.files import checksums
from hpcgen.files.checksums import VERIFIED_BYTES
from hpcgen.files.reading import attempt, open_file
from hpcgen.files.slabs import Slab

Attributes = Mapping[str, str | int | float | list]


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Raise WriteError if what was written for `path` cannot be read back."""
    try:
        yield
    except InputError as error:
        raise WriteError(
            f"{path.parent}: the disk did not keep {path.name}: {error}; existing files are unchanged"
        ) from None


def require_rows(temporary: Path, slabs: Mapping[str, Slab]) -> None:
    """Raise DamagedError unless the rows that this rank wrote agree with their checksums."""
    with open_file(temporary) as file:
        for name, slab in slabs.items():
            for part in slab.parts(VERIFIED_BYTES):
                rows, *region = part.where
                checksums.read(file, name, rows.start, rows.stop, tuple(region))


def require_structure(temporary: Path, attributes: Attributes, slabs: Mapping[str, Slab]) -> None:
    """Raise DamagedError unless the file has these attributes and datasets, and no others.

    This comes before the seal, which is made from what is there.
    """
    values, datasets, boxes = attempt(temporary, "its structure", lambda: _structure(temporary, attributes))
    if not all(_same(values[name], value) for name, value in attributes.items()):
        raise DamagedError("its attributes differ from those that were written")
    meant = {name: (tuple(slab.shape), slab.dtype) for name, slab in slabs.items()}
    if datasets != meant or boxes != checksums.boxes(slabs):
        raise DamagedError("its datasets differ from those that were written")


def _structure(
    temporary: Path, attributes: Attributes
) -> tuple[dict[str, Any], dict[str, tuple], dict[str, tuple]]:
    """Return three dictionaries: the values of these attributes, (shape, dtype) of each dataset, and the
    attribute `box` of the datasets that have it."""
    with h5py.File(temporary, "r") as file:
        # Asked for by name: HDF5 may crash on a list of names that is damaged.
        values = {name: file.attrs[name] for name in attributes}
        if len(file.attrs) != len(attributes):
            raise DamagedError("its attributes differ from those that were written")
        datasets: dict[str, tuple] = {}
        boxes: dict[str, tuple] = {}

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                datasets[name] = (item.shape, item.dtype)
                if checksums.BOX in item.attrs:
                    boxes[name] = tuple(item.attrs[checksums.BOX].tolist())

        file.visititems(visit)
        return values, datasets, boxes


def _same(found: Any, meant: Any) -> bool:
    """Return whether two attributes have the same type, shape and value. 1, 1.0 and True differ."""
    a, b = np.asarray(found), np.asarray(meant)
    return a.dtype.kind == b.dtype.kind and a.shape == b.shape and np.array_equal(a, b)
