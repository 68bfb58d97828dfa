"""Data files that are damaged, or of another version: one clear line, never a traceback of h5py."""

import h5py
import numpy as np
import pytest

from hpcgen.data.reading import DataFiles
from hpcgen.data.schema import Schema
from hpcgen.data.writing import write_data
from hpcgen.errors import InputError
from hpcgen.files.slabs import Slab


def content(path):
    """Return all that a run reads of a data file."""
    with DataFiles([path]) as files:
        rows = files.read(0, files.rows)
        return files.schema, files.fingerprint, rows.samples.tobytes(), rows.labels.tobytes()


def plain(path, random):
    """Write a data file as people write theirs, without checksums."""
    with h5py.File(path, "w") as file:
        file["samples"] = random.integers(0, 255, (60, 6, 6, 1), np.uint8)
        file["labels"] = random.integers(0, 5, 60)
        file.attrs.update(kind="image", source="somewhere", low=0.0, high=255.0)


def test_swapped_pages_are_named_or_do_no_harm(comm, tmp_path, random):
    """Structure is swapped with structure or with data: HDF5 raises errors of many types."""
    path, page = tmp_path / "x.h5", 512
    plain(path, random)
    whole = path.read_bytes()
    pages = len(whole) // page
    refused = 0
    for a in range(1, min(pages, 12)):
        for b in range(a + 1, pages, 3):
            harmed = bytearray(whole)
            harmed[a * page : (a + 1) * page] = whole[b * page : (b + 1) * page]
            harmed[b * page : (b + 1) * page] = whole[a * page : (a + 1) * page]
            path.write_bytes(harmed)
            try:
                content(path)
            except InputError as error:
                assert "\n" not in str(error) and str(path) in str(error)
                refused += 1
    assert refused


def test_a_file_of_a_newer_version_is_refused(comm, folder, random):
    slabs = {"samples": Slab.replicated(random.integers(0, 255, (8, 3, 3, 1), np.uint8), comm.rank)}
    write_data(
        folder / "x.h5", comm, slabs, Schema((3, 3, 1), "uint8", "image", 0.0, 255.0), "here", {"version": 9}
    )
    with pytest.raises(InputError, match="data file of version 9; this hpcgen reads up to 2: update hpcgen"):
        DataFiles([folder / "x.h5"])
