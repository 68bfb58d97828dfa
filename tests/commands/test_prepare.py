"""`hpcgen prepare` makes each source from the options of the command line."""

import struct
import wave

import numpy as np
import pytest
from PIL import Image

from hpcgen.commands import parser
from hpcgen.commands.prepare import SOURCES


def idx(folder):
    (folder / "images").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 5, 4, 6) + bytes(5 * 4 * 6))
    (folder / "labels").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 5) + bytes(5))
    return [folder / "images", "--labels", folder / "labels"]


def cifar(folder):
    (folder / "one.bin").write_bytes(bytes(3073 * 2))
    (folder / "two.bin").write_bytes(bytes(3073))
    return [folder / "one.bin", folder / "two.bin"]


def images(folder):
    (folder / "pictures").mkdir()
    Image.new("RGB", (9, 7)).save(folder / "pictures" / "one.png")
    return [folder / "pictures", "--size", "4", "--channels", "1", "--skip-bad"]


def array(folder):
    np.savez(folder / "arrays.npz", x=np.ones((5, 3)), y=np.ones((5, 2)), t=np.zeros(5, int))
    return [folder / "arrays.npz", "--name", "x", "--inputs", "y", "--labels", "t"]


def text(folder):
    (folder / "a.txt").write_text("some words, and more of them")
    return [folder / "a.txt", "--length", "4", "--units", "bytes"]


def audio(folder):
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(100)
        file.writeframes(bytes(200))
    return [folder / "a.wav", "--length", "10", "--hop", "5"]


# The arguments of each source, the shape of its samples, and the columns of its rows.
CASES = {
    "digits": (lambda folder: ["--size", "12"], (12, 12, 1), ("samples", "labels")),
    "idx": (idx, (4, 6, 1), ("samples", "labels")),
    "cifar": (cifar, (32, 32, 3), ("samples", "labels")),
    "images": (images, (4, 4, 1), ("samples",)),
    "array": (array, (3,), ("samples", "inputs", "labels")),
    "text": (text, (4,), ("samples",)),
    "audio": (audio, (10,), ("samples",)),
    "diabetes": (lambda folder: [], (1,), ("inputs", "samples")),
    "linear": (
        lambda folder: ["--rows", "7", "--inputs", "3", "--outputs", "2"],
        (2,),
        ("inputs", "samples"),
    ),
    "fields": (
        lambda folder: ["--size", "6", "--rows", "7", "--slope", "-1.7", "--axes", "2"],
        (6, 6, 1),
        ("samples",),
    ),
}


def test_every_source_has_a_case():
    assert CASES.keys() == SOURCES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_source_is_made_from_its_options(comm, tmp_path, name):
    arguments, shape, columns = CASES[name]
    made = arguments(tmp_path)
    options = parser().parse_args(["prepare", name, *map(str, made), str(tmp_path / "out.h5"), "--seed", "3"])
    assert options.seed == 3 and options.out == tmp_path / "out.h5"
    source = options.make(options)
    assert tuple(source.shape) == shape and tuple(source.columns) == columns


def test_an_array_may_have_a_gibibyte_or_as_much_as_is_said(comm, tmp_path):
    given = ["prepare", "array", *map(str, array(tmp_path)), str(tmp_path / "out.h5")]
    for more, memory in (([], 1 << 30), (["--memory", "256MiB"], 1 << 28)):
        options = parser().parse_args([*given, *more])
        assert options.make(options).memory == memory
