"""Samples for people: plots, text and sound."""

import errno
import os
import wave

import numpy as np
import pytest

from hpcgen.data.schema import Schema
from hpcgen.errors import InputError, WriteError
from hpcgen.sampling import showing
from hpcgen.sampling.showing import LINE, check, natural, save, texts

IMAGE = Schema((8, 8, 1), "uint8", "image", 0, 255)
ARRAY = Schema((9,), "float32", "array", 0, 1)
TEXT = Schema((4,), "uint8", "text", 0, 2, vocabulary="abc")
AUDIO = Schema((5, 2), "float32", "audio", -2, 2, rate=100)


@pytest.mark.parametrize(
    "schema, ending", [(IMAGE, ".png"), (ARRAY, ".png"), (TEXT, ".txt"), (AUDIO, ".wav")]
)
def test_every_kind_has_a_file_in_which_it_is_best_shown(tmp_path, schema, ending):
    assert natural(schema) == ending
    check(tmp_path / "x", schema, ending)


@pytest.mark.parametrize(
    "schema, ending", [(IMAGE, ".txt"), (IMAGE, ".wav"), (TEXT, ".png"), (AUDIO, ".txt")]
)
def test_kinds_that_a_file_cannot_show(tmp_path, schema, ending):
    with pytest.raises(InputError, match=f"samples of kind {schema.kind}; use {natural(schema)}"):
        check(tmp_path / "x", schema, ending)


def test_text_has_a_line_between_samples(tmp_path):
    tokens = np.array([[0, 1, 2, 0], [2, 2, 1, 0]], np.uint8)
    assert texts(tokens, TEXT) == f"abca\n{LINE}\nccba"
    save(tokens, tmp_path / "x.txt", TEXT, ".txt")
    assert (tmp_path / "x.txt").read_text() == f"abca\n{LINE}\nccba\n"


def test_sound_has_silence_after_each_sample(tmp_path):
    samples = np.zeros((2, 5, 2), np.float32)
    samples[0, 1], samples[1, 0] = (2, -2), (9, -1)
    save(samples, tmp_path / "x.wav", AUDIO, ".wav")
    with wave.open(str(tmp_path / "x.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (100, 2, 2)
        frames = np.frombuffer(file.readframes(50), "<i2").reshape(-1, 2)
    assert frames.shape == (2 * (5 + 20), 2)
    assert frames[1].tolist() == [32767, -32767] and frames[25].tolist() == [32767, -16384]
    assert not frames[5:25].any() and not frames[30:].any()


def test_a_file_is_whole_or_not_there(tmp_path, random, monkeypatch):
    path = tmp_path / "x.png"
    save(random.integers(0, 255, (3, 8, 8, 1), np.uint8), path, IMAGE, ".png")
    before = path.read_bytes()

    def fails(samples, path, schema, group):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setitem(showing.SAVERS, ".png", fails)
    with pytest.raises(WriteError, match="the disk refused x.png: No space left on device"):
        save(random.integers(0, 255, (3, 8, 8, 1), np.uint8), path, IMAGE, ".png")
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["x.png"]


def test_a_folder_that_vanished_is_not_made_anew(tmp_path):
    """It may be the folder of a run, which was moved."""
    tokens = np.array([[0, 1, 2, 0]], np.uint8)
    with pytest.raises(WriteError, match="gone: the disk refused x.txt: No such file or directory"):
        save(tokens, tmp_path / "gone" / "x.txt", TEXT, ".txt")
    assert os.listdir(tmp_path) == []
