import gzip
import struct

import numpy as np
import pytest

from hpcgen.data.sources.idx import IDX
from hpcgen.errors import InputError


def idx(array, type_code=8):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, type_code, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_idx(tmp_path, random, in_pieces, compress):
    images, labels = random.integers(0, 255, (7, 5, 4), np.uint8), random.integers(0, 9, 7, np.uint8)
    (tmp_path / "images").write_bytes(compress(idx(images)))
    (tmp_path / "labels").write_bytes(compress(idx(labels)))
    samples, _, read = in_pieces(IDX(tmp_path / "images", tmp_path / "labels"))
    assert np.array_equal(samples[..., 0], images) and np.array_equal(read, labels)
    assert IDX(tmp_path / "images").read(0, 1).labels is None


def test_bad_idx(tmp_path, random):
    images = idx(random.integers(0, 255, (7, 5, 4), np.uint8))
    cases = {
        "magic": (b"\x00\x00\x09\x03" + images[4:], "magic number is 00000903"),
        "labels": (
            idx(np.zeros(7, np.uint8)),
            "magic number is 00000801; an IDX file of images has 00000803",
        ),
        "short": (images[:-1], "fewer bytes than its header says: 139 of data, not 140"),
        "long": (images + b"x", "more bytes than its header says"),
        "header": (images[:9], "truncated in its header"),
        "empty": (b"", "magic number is missing"),
        "gzip": (gzip.compress(images)[:-20], "gzip file is truncated"),
        "deflate": (gzip.compress(images)[:10] + b"\xff" * 90, "gzip file is damaged"),
        "crc": (gzip.compress(images)[:-6] + b"123456", "CRC"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            IDX(tmp_path / name)
    with pytest.raises(InputError, match="missing: no such file"):
        IDX(tmp_path / "missing")
    (tmp_path / "good").write_bytes(images)
    (tmp_path / "eight").write_bytes(idx(np.zeros(8, np.uint8)))
    with pytest.raises(InputError, match="8 labels for the 7 images"):
        IDX(tmp_path / "good", tmp_path / "eight")


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_files_that_the_system_refuses(tmp_path, random, refused, compress):
    path = tmp_path / "images"
    path.write_bytes(compress(idx(random.integers(0, 255, (7, 5, 4), np.uint8))))
    source = IDX(path)
    with refused(path):
        IDX(path)
    with refused(path):
        source.read(2, 5)
