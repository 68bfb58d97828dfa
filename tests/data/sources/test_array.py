import h5py
import numpy as np
import pytest

from hpcgen.data.sources.array import Array
from hpcgen.errors import InputError


def test_arrays(tmp_path, random, in_pieces):
    spectra = random.standard_normal((9, 30))
    np.save(tmp_path / "x.npy", spectra)
    np.savez(tmp_path / "x.npz", spectra=spectra, other=spectra[:2])
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/spectra"] = spectra
    sources = [Array(tmp_path / "x.npy"), Array(tmp_path / "x.npz", "spectra"), Array(tmp_path / "x.h5")]
    for source in [*sources, Array(tmp_path / "x.h5", "/a/spectra")]:
        assert source.kind == "array"
        assert np.array_equal(in_pieces(source).samples, spectra.astype(np.float32))
    np.save(tmp_path / "i.npy", random.integers(0, 255, (3, 4, 4, 3), np.uint8))
    assert Array(tmp_path / "i.npy").kind == "image" and Array(tmp_path / "i.npy").dtype == np.uint8
    np.save(tmp_path / "flat.npy", np.arange(5))
    assert in_pieces(Array(tmp_path / "flat.npy")).samples.shape == (5, 1)


def test_bad_arrays(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros((3, 2)), b=np.zeros(3))
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    np.save(tmp_path / "objects.npy", np.array([{}, None], object), allow_pickle=True)
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "short.npy").write_bytes(content[:-8])
    (tmp_path / "garbage.npy").write_bytes(b"garbage")
    (tmp_path / "garbage.npz").write_bytes(b"garbage")
    (tmp_path / "garbage.h5").write_bytes(b"garbage")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    for name, key, message in [
        ("missing.npy", None, "no such file"),
        ("missing.h5", None, "no such file"),
        ("x.npz", None, r"several arrays; choose one with --name \(it holds a, b\)"),
        ("x.npz", "c", "no array named c"),
        ("x.npy", "a", "which has no name; leave the name out"),
        ("text.npy", None, "must be real numbers"),
        ("objects.npy", None, "not a readable NumPy file"),
        ("short.npy", None, "not a readable NumPy file, or truncated"),
        ("garbage.npy", None, "not a readable NumPy file"),
        ("garbage.npz", None, "not a readable NumPy file"),
        ("garbage.h5", None, "not an HDF5 file"),
        ("empty.h5", None, "no array"),
    ]:
        with pytest.raises(InputError, match=message):
            Array(tmp_path / name, key)


def test_inputs_and_labels_of_the_same_file(tmp_path, random, in_pieces):
    x, y, t = (
        random.standard_normal((9, 4)),
        random.standard_normal((9, 2)),
        random.integers(0, 5, 9, np.int32),
    )
    np.savez(tmp_path / "all.npz", x=x, y=y, t=t, narrow=x[:, 0], text=np.array(["a"] * 9), short=t[:5])
    rows = in_pieces(Array(tmp_path / "all.npz", "y", "x", "t"))
    assert np.array_equal(rows.samples, y.astype("f4")) and np.array_equal(rows.inputs, x.astype("f4"))
    assert np.array_equal(rows.labels, t) and rows.labels.dtype == np.int64
    assert Array(tmp_path / "all.npz", "y", "narrow").read(2, 5).inputs.shape == (3, 1)
    for inputs, labels, message in [
        ("text", None, "text is <U1 of shape"),
        ("short", None, r"short is int32 of shape \(5,\), which does not suit 9 samples"),
        (None, "x", "x is float64 of shape"),
        (None, "none", "no array named none"),
    ]:
        with pytest.raises(InputError, match=message):
            Array(tmp_path / "all.npz", "y", inputs, labels)
