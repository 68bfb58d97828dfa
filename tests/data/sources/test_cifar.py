import numpy as np
import pytest

from hpcgen.data.sources.cifar import CIFAR
from hpcgen.errors import DamagedError, InputError


def cifar_batch(random, rows):
    pixels, labels = (
        random.integers(0, 255, (rows, 3, 32, 32), np.uint8),
        random.integers(0, 10, rows, np.uint8),
    )
    return pixels, labels, b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, pixels))


def test_cifar(tmp_path, random, in_pieces):
    first, second = cifar_batch(random, 4), cifar_batch(random, 3)
    (tmp_path / "a.bin").write_bytes(first[2])
    (tmp_path / "b.bin").write_bytes(second[2])
    samples, _, labels = in_pieces(CIFAR([tmp_path / "a.bin", tmp_path / "b.bin"]))
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
    with pytest.raises(InputError, match="missing: no such file"):
        CIFAR([tmp_path / "missing"])


def test_batches_that_the_system_refuses(tmp_path, random, refused):
    path = tmp_path / "a.bin"
    path.write_bytes(cifar_batch(random, 4)[2])
    source = CIFAR([path])
    with refused(path):
        source.read(1, 3)


def test_a_batch_that_became_shorter_is_damaged(tmp_path, random):
    path = tmp_path / "a.bin"
    path.write_bytes(cifar_batch(random, 4)[2])
    source = CIFAR([path])
    path.write_bytes(b"x")
    with pytest.raises(DamagedError, match="a.bin: damaged: cannot read its records"):
        source.read(1, 3)
