"""The rows of real data with which models are compared."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from hpcgen.data.reading import DataFiles
from hpcgen.data.schema import Columns
from hpcgen.errors import InputError
from hpcgen.evaluation import reference as module
from hpcgen.evaluation.reference import Reference
from hpcgen.sampling import origins

SAMPLES = np.arange(22, dtype=np.float32).reshape(11, 2)


@pytest.fixture
def reference(comm, folder):
    """reference(count, inputs): rows of a file of 11, whose model has a number of inputs."""
    if comm.rank == 0:
        with h5py.File(folder / "rows.h5", "w") as file:
            file["samples"], file["inputs"] = SAMPLES, SAMPLES[:, :1] / 2
            file["labels"], file["theta"] = np.arange(11), np.ones((1, 2))
            file.attrs.update(kind="array", low=-1.0, high=31.0)
    comm.Barrier()
    with DataFiles([folder / "rows.h5"]) as files:

        def make(count=5, inputs=None):
            columns = None if inputs is None else Columns((0.0,) * inputs, (1.0,) * inputs)
            return Reference(files, replace(files.schema, inputs=columns), count)

        yield make


def test_even_and_odd_rows(reference):
    rows = reference()
    assert rows.rows == 11 and rows.labelled
    assert np.array_equal(rows.even(0, 5), SAMPLES[:10:2]) and np.array_equal(rows.odd(0, 5), SAMPLES[1:11:2])
    assert np.array_equal(rows.even(2, 4), SAMPLES[4:8:2]) and np.array_equal(rows.odd(2, 4), SAMPLES[5:8:2])
    assert rows.even(0, 0).shape == (0, 2)


def test_of_large_samples_one_row_is_read_at_a_time(reference, monkeypatch):
    """The rows between are not read."""
    monkeypatch.setattr(origins, "NUMBERS_A_BLOCK", 6)
    monkeypatch.setattr(module, "NUMBERS_A_BLOCK", 6)
    rows, read, asked = reference(), DataFiles.read, []
    monkeypatch.setattr(DataFiles, "read", lambda self, *given: asked.append(given[:2]) or read(self, *given))
    assert np.array_equal(rows.even(1, 4), SAMPLES[2:8:2]) and np.array_equal(rows.odd(1, 3), SAMPLES[3:7:2])
    assert asked == [(2, 3), (4, 5), (6, 7), (3, 4), (5, 6)]
    assert rows.even(0, 0).shape == (0, 2)


@pytest.mark.parametrize("numbers, rows", [(1 << 24, 256), (2 * 256, 256), (2 * 256 - 1, 64), (9, 4), (1, 1)])
def test_a_block_has_few_large_samples(reference, monkeypatch, numbers, rows):
    """Never more than a model generates at a time, unless they are small."""
    monkeypatch.setattr(origins, "NUMBERS_A_BLOCK", numbers)
    monkeypatch.setattr(module, "NUMBERS_A_BLOCK", numbers)
    assert reference().rows_a_block == rows


def test_labels_are_those_of_the_even_rows(reference):
    assert reference().labels(1, 3).tolist() == [2, 4]
    assert reference(4).labels(2, 64).tolist() == [4, 6]
    assert reference(4).labels(64, 128).tolist() == []


def test_a_block_of_all_rows(reference):
    rows = reference().read(slice(3, 5))
    assert np.array_equal(rows.samples, SAMPLES[3:5]) and rows.labels.tolist() == [3, 4]
    only = reference().read(slice(3, 5), "labels")
    assert only.samples is None and only.inputs is None and only.labels.tolist() == [3, 4]
    assert reference().width("samples") == 2 and reference().width("inputs") == 1


def test_units(reference):
    unit = reference().unit(SAMPLES)
    assert unit.dtype == np.float64 and np.array_equal(unit, (SAMPLES.astype(np.float64) + 1) / 32)


def test_what_the_data_do_not_have(comm, folder, reference):
    reference(inputs=1).require("inputs")
    reference().require("labels")
    with pytest.raises(InputError, match="the evaluation data have 1 inputs, the model has 3"):
        reference(inputs=3).require("inputs")
    if comm.rank == 0:
        with h5py.File(folder / "bare.h5", "w") as file:
            file["samples"] = SAMPLES
    comm.Barrier()
    with DataFiles([folder / "bare.h5"]) as files:
        bare = Reference(files, files.schema, 5)
        assert not bare.labelled and bare.constant("theta") is None
        with pytest.raises(InputError, match="the evaluation data have no /labels"):
            bare.require("labels")
    assert np.array_equal(reference().constant("theta"), np.ones((1, 2)))
