"""Each format: read in pieces as a whole, and refused when it is not what it should be."""

import gzip
import struct

import h5py
import numpy as np
import pytest
from PIL import Image

from hpcgen.data.sources.array import Array
from hpcgen.data.sources.cifar import CIFAR
from hpcgen.data.sources.digits import Digits
from hpcgen.data.sources.idx import IDX
from hpcgen.data.sources.images import Images
from hpcgen.errors import InputError


def in_pieces(source):
    bounds = [0, source.rows // 3, source.rows // 3, source.rows]
    pieces = [source.read(start, stop) for start, stop in zip(bounds, bounds[1:])]
    samples = np.concatenate([piece[0] for piece in pieces])
    assert samples.shape == (source.rows, *source.shape) and samples.dtype == source.dtype
    labels = np.concatenate([piece.labels for piece in pieces]) if "labels" in source.columns else None
    return samples, labels


def idx(array, type_code=8):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, type_code, array.ndim, *array.shape) + array.tobytes()


def test_digits():
    samples, labels = in_pieces(Digits())
    assert samples.shape == (1797, 8, 8, 1) and samples.max() == 255
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert Digits(28).read(0, 2)[0].shape == (2, 28, 28, 1)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_idx(tmp_path, random, compress):
    images, labels = random.integers(0, 255, (7, 5, 4), np.uint8), random.integers(0, 9, 7, np.uint8)
    (tmp_path / "images").write_bytes(compress(idx(images)))
    (tmp_path / "labels").write_bytes(compress(idx(labels)))
    samples, read = in_pieces(IDX(tmp_path / "images", tmp_path / "labels"))
    assert np.array_equal(samples[..., 0], images) and np.array_equal(read, labels)
    assert IDX(tmp_path / "images").read(0, 1).labels is None


def test_bad_idx(tmp_path, random):
    images = idx(random.integers(0, 255, (7, 5, 4), np.uint8))
    cases = {
        "magic": (b"\x00\x00\x09\x03" + images[4:], "magic 00000903"),
        "labels": (idx(np.zeros(7, np.uint8)), "magic 00000801 is not that of an IDX file of images"),
        "short": (images[:-1], "fewer bytes than its header says: 139 of data, not 140"),
        "long": (images + b"x", "more bytes than its header says"),
        "header": (images[:9], "truncated in its header"),
        "empty": (b"", "magic missing"),
        "gzip": (gzip.compress(images)[:-20], "gzip file is truncated"),
        "crc": (gzip.compress(images)[:-6] + b"123456", "CRC"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            IDX(tmp_path / name)
    with pytest.raises(InputError, match="No such file"):
        IDX(tmp_path / "missing")
    (tmp_path / "good").write_bytes(images)
    (tmp_path / "eight").write_bytes(idx(np.zeros(8, np.uint8)))
    with pytest.raises(InputError, match="8 labels for the 7 images"):
        IDX(tmp_path / "good", tmp_path / "eight")


def cifar_batch(random, rows):
    pixels, labels = random.integers(0, 255, (rows, 3, 32, 32), np.uint8), random.integers(0, 10, rows, np.uint8)
    return pixels, labels, b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, pixels))


def test_cifar(tmp_path, random):
    first, second = cifar_batch(random, 4), cifar_batch(random, 3)
    (tmp_path / "a.bin").write_bytes(first[2])
    (tmp_path / "b.bin").write_bytes(second[2])
    samples, labels = in_pieces(CIFAR([tmp_path / "a.bin", tmp_path / "b.bin"]))
    assert np.array_equal(samples, np.concatenate([first[0], second[0]]).transpose(0, 2, 3, 1))
    assert np.array_equal(labels, np.concatenate([first[1], second[1]]))


def test_bad_cifar(tmp_path, random):
    _, _, content = cifar_batch(random, 3)
    (tmp_path / "short").write_bytes(content[:-1])
    (tmp_path / "empty").touch()
    (tmp_path / "label").write_bytes(content[: 2 * 3073] + b"\x0b" + content[2 * 3073 + 1 :])
    for name in ("short", "empty"):
        with pytest.raises(InputError, match="not whole records of 3073"):
            CIFAR([tmp_path / name])
    with pytest.raises(InputError, match="label: record 2 has label 11"):
        CIFAR([tmp_path / "label"]).read(1, 3)
    with pytest.raises(InputError, match="No such file"):
        CIFAR([tmp_path / "missing"])


def test_images(tmp_path, random):
    (tmp_path / "sub").mkdir()
    wide = random.integers(0, 255, (16, 32, 3), np.uint8)
    Image.fromarray(wide).save(tmp_path / "a.png")
    Image.fromarray(wide[..., 0]).save(tmp_path / "sub" / "b.jpg")
    (tmp_path / "notes.txt").write_text("not a picture")
    samples, _ = in_pieces(Images(tmp_path, 16))
    assert np.array_equal(samples[0], wide[:, 8:24]) and samples.shape == (2, 16, 16, 3)
    assert in_pieces(Images(tmp_path, 8, channels=1))[0].shape == (2, 8, 8, 1)


def test_images_of_sixteen_bits_keep_their_shades(tmp_path):
    shades = (np.arange(64).reshape(8, 8) * 1000).astype(np.uint16)
    Image.fromarray(shades).save(tmp_path / "deep.png")
    samples = Images(tmp_path, 8, channels=1).read(0, 1).samples
    assert np.array_equal(samples[0, ..., 0], shades >> 8)


def test_bad_images(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        Images(tmp_path / "missing", 8)
    with pytest.raises(InputError, match="holds no picture"):
        Images(tmp_path, 8)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(InputError, match=r"broken.png: not a readable picture"):
        Images(tmp_path, 8).read(0, 1)


def test_arrays(tmp_path, random):
    spectra = random.standard_normal((9, 30))
    np.save(tmp_path / "x.npy", spectra)
    np.savez(tmp_path / "x.npz", spectra=spectra, other=spectra[:2])
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/spectra"] = spectra
    sources = [Array(tmp_path / "x.npy"), Array(tmp_path / "x.npz", "spectra"), Array(tmp_path / "x.h5")]
    for source in [*sources, Array(tmp_path / "x.h5", "/a/spectra")]:
        assert source.kind == "array"
        assert np.array_equal(in_pieces(source)[0], spectra.astype(np.float32))
    np.save(tmp_path / "i.npy", random.integers(0, 255, (3, 4, 4, 3), np.uint8))
    assert Array(tmp_path / "i.npy").kind == "image" and Array(tmp_path / "i.npy").dtype == np.uint8
    np.save(tmp_path / "flat.npy", np.arange(5))
    assert in_pieces(Array(tmp_path / "flat.npy"))[0].shape == (5, 1)


def test_bad_arrays(tmp_path, random):
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
        ("x.npy", "a", "leave --name out"),
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
