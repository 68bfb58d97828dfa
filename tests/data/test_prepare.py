import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI
from PIL import Image

from hpcgen.data.prepare import PrepareOptions, prepare
from hpcgen.data.sources.array import Array
from hpcgen.data.sources.digits import Digits
from hpcgen.data.sources.images import Images
from hpcgen.errors import InputError, RunError
from hpcgen.files.checksums import verify


def read(path):
    with h5py.File(path) as file:
        labels = file["labels"][...] if "labels" in file else None
        return file["samples"][...], labels, dict(file.attrs)


@pytest.mark.parametrize("keep_order", [False, True])
def test_the_file_is_the_same_at_any_number_of_ranks(comm, folder, keep_order):
    rows, shape = prepare(Digits, folder / "all.h5", comm, PrepareOptions(seed=3, keep_order=keep_order))
    assert (rows, shape) == (1797, (8, 8, 1))
    verify(folder / "all.h5", comm)
    if comm.rank == 0:
        prepare(Digits, folder / "one.h5", MPI.COMM_SELF, PrepareOptions(seed=3, keep_order=keep_order))
        (samples, labels, attributes), one = read(folder / "all.h5"), read(folder / "one.h5")
        assert samples.tobytes() == one[0].tobytes() and labels.tobytes() == one[1].tobytes()
        assert (attributes["low"], attributes["high"], attributes["kind"]) == (0, 255, "image")


def test_rows_are_shuffled_with_their_labels_or_kept(comm, folder):
    prepare(Digits, folder / "shuffled.h5", comm)
    prepare(Digits, folder / "kept.h5", comm, PrepareOptions(keep_order=True))
    samples, _, labels = Digits().read(0, 1797)
    kept = read(folder / "kept.h5")
    assert np.array_equal(kept[0], samples) and np.array_equal(kept[1], labels)
    shuffled = read(folder / "shuffled.h5")
    assert not np.array_equal(shuffled[1], labels)
    pairs = sorted((image.tobytes(), label) for image, label in zip(samples, labels))
    assert sorted((image.tobytes(), label) for image, label in zip(*shuffled[:2])) == pairs


def test_the_range_of_an_array_is_that_of_all_ranks(comm, folder, random):
    values = random.standard_normal((11, 5)).astype(np.float32)
    if comm.rank == 0:
        np.save(folder / "x.npy", values)
    comm.Barrier()
    prepare(lambda: Array(folder / "x.npy"), folder / "x.h5", comm)
    _, _, attributes = read(folder / "x.h5")
    assert (attributes["low"], attributes["high"]) == (values.min(), values.max())


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("row", [0, 7, 10])
def test_a_row_that_is_not_finite_is_named(comm, folder, value, row):
    values = np.zeros((11, 5))
    values[row, 3] = value
    if comm.rank == 0:
        np.save(folder / "x.npy", values)
    comm.Barrier()
    with pytest.raises(InputError, match=f"row {row} of the samples holds NaN or infinity"):
        prepare(lambda: Array(folder / "x.npy"), folder / "x.h5", comm)
    assert not (folder / "x.h5").exists()


def test_fewer_rows_than_ranks(comm, folder):
    if comm.rank == 0:
        np.save(folder / "one.npy", np.array([[0.0, 1.0]]))
        np.save(folder / "none.npy", np.ones((0, 2)))
    comm.Barrier()
    assert prepare(lambda: Array(folder / "one.npy"), folder / "one.h5", comm)[0] == 1
    with pytest.raises(InputError, match="holds no samples"):
        prepare(lambda: Array(folder / "none.npy"), folder / "none.h5", comm)


def test_rows_that_are_held_out_are_in_no_other_file(comm, folder):
    assert prepare(
        Digits, folder / "train.h5", comm, PrepareOptions(hold_out=folder / "test.h5", share=0.1)
    ) == (
        1617,
        (8, 8, 1),
    )
    prepare(Digits, folder / "all.h5", comm)
    train, test, whole = (read(folder / name) for name in ("train.h5", "test.h5", "all.h5"))
    for part, column in enumerate(("samples", "labels")):
        assert np.array_equal(np.concatenate([train[part], test[part]]), whole[part]), column
    assert train[2]["low"] == test[2]["low"] and len(test[0]) == 180
    verify(folder / "test.h5", comm)
    with pytest.raises(InputError, match="1797 rows cannot be divided so that 0.0 of them are held out"):
        prepare(Digits, folder / "train.h5", comm, PrepareOptions(hold_out=folder / "test.h5", share=0.0))


def test_constant_samples_are_refused(comm, folder):
    if comm.rank == 0:
        np.save(folder / "x.npy", np.full((5, 2), 3.0))
    comm.Barrier()
    with pytest.raises(InputError, match="x.npy: all samples are 3.0; there is nothing to learn"):
        prepare(lambda: Array(folder / "x.npy"), folder / "x.h5", comm)


def test_nothing_is_written_over_what_else_is_made(comm, folder):
    with pytest.raises(InputError, match="x.h5: the command uses this file already"):
        prepare(Digits, folder / "x.h5", comm, PrepareOptions(hold_out=folder / "none" / ".." / "x.h5"))
    assert not (folder / "x.h5").exists()


def test_what_is_left_out_is_a_warning_like_any_other(comm, folder, said, caplog):
    """The command line shows warnings as they are, on stderr."""
    if comm.rank == 0:
        for number in range(4):
            Image.new("L", (4, 4)).save(folder / f"{number}.png")
        (folder / "2.png").write_bytes(b"not a picture")
    comm.Barrier()
    rows, _ = prepare(lambda: Images(folder, 4, skip_bad=True), folder / "x.h5", comm)
    assert rows == 3
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"{folder / '2.png'}: not a readable picture")


def test_labels_that_are_no_classes(comm, folder):
    if comm.rank == 0:
        np.savez(folder / "x.npz", y=np.arange(8.0), t=np.arange(8) - 2)
    comm.Barrier()
    with pytest.raises(InputError, match="row 0 has label -2; labels count from 0"):
        prepare(lambda: Array(folder / "x.npz", "y", labels="t"), folder / "x.h5", comm)


@pytest.mark.parametrize("target", ["x.h5", "held.h5"])
def test_targets_that_cannot_be_written_are_refused_before_rows_are_read(comm, folder, monkeypatch, target):
    def never(*arguments):
        raise AssertionError

    monkeypatch.setattr(Digits, "read", never)
    for bad, message in (
        (folder, "is a folder; name a file"),
        (Path("."), "is a folder; name a file"),
        (folder / ("d" * 120) / ("e" * 120) / "x.h5", "bytes too long for MPI-IO"),
    ):
        paths = {"x.h5": folder / "x.h5", "held.h5": folder / "held.h5"} | {target: bad}
        with pytest.raises(InputError, match=message):
            prepare(Digits, paths["x.h5"], comm, PrepareOptions(hold_out=paths["held.h5"]))
    comm.Barrier()
    assert os.listdir(folder) == []


def test_the_folder_of_a_target_is_made(comm, folder):
    prepare(Digits, folder / "a" / "x.h5", comm, PrepareOptions(hold_out=folder / "b" / "held.h5"))
    comm.Barrier()
    assert sorted(os.listdir(folder)) == ["a", "b"]


def test_nothing_is_read_for_parts_that_are_empty_or_a_disk_that_is_full(comm, folder, monkeypatch):
    class Unread(Digits):
        def read(self, start, stop):
            raise AssertionError("the source is read")

    with pytest.raises(InputError, match="1797 rows cannot be divided so that 0.0 of them are held out"):
        prepare(Unread, folder / "x.h5", comm, PrepareOptions(hold_out=folder / "y.h5", share=0.0))
    usage = shutil._ntuple_diskusage(1 << 20, 1 << 20, 91_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RunError, match="92,032 bytes are needed there, 91,000 are free"):
        prepare(Unread, folder / "x.h5", comm, PrepareOptions(hold_out=folder / "y.h5"))
    comm.Barrier()
    assert os.listdir(folder) == []
