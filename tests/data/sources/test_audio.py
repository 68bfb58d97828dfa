import io
import struct
import sys
import wave

import numpy as np
import pytest
from mpi4py import MPI
from scipy.signal import resample_poly

from hpcgen.data.sources import audio
from hpcgen.data.sources.audio import Audio
from hpcgen.errors import InputError


def wav(values, rate=8000, width=2):
    """Return a WAV file of integers (n, channels) of `width` bytes."""
    file = io.BytesIO()
    data = b"".join(int(value).to_bytes(width, "little", signed=width > 1) for value in values.reshape(-1))
    with wave.open(file, "wb") as recording:
        recording.setparams((values.shape[1], width, rate, 0, "NONE", ""))
        recording.writeframes(data)
    return file.getvalue()


def tone(count, rate=8000, pitch=440.0):
    return np.round(30_000 * np.sin(2 * np.pi * pitch / rate * np.arange(count)))[:, None].astype(int)


def header(format, bits):
    """Return a WAV file of eight bytes of another format."""
    frame = bits // 8
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, format, 1, 8000, 8000 * frame, frame, bits)
    body = b"WAVE" + fmt + struct.pack("<4sI", b"data", 8) + bytes(8)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_integers_of_any_width_become_their_mean_in_minus_1_to_1(put, random, in_pieces, width, channels):
    half = 2 ** (8 * width - 1)
    values = random.integers(-half, half, (40, channels))
    values[0], values[-1] = -half, half - 1
    path = put("x.wav", wav(values + (half if width == 1 else 0), width=width))
    samples = in_pieces(Audio([path], 4)).samples
    assert samples.dtype == np.float32 and samples.shape == (10, 4)
    assert np.array_equal(samples.reshape(-1), (values.mean(1) / half).astype(np.float32))


@pytest.mark.parametrize(
    "length, hop, rows", [(8, None, 4 + 0 + 1), (8, 3, 10 + 0 + 1), (8, 20, 2 + 0 + 1), (33, None, 1)]
)
def test_frames_start_anew_in_each_file(put, prepared, length, hop, rows):
    recordings = [tone(35), tone(7), tone(8, pitch=900)]
    paths = [put(f"{i}.wav", wav(values)) for i, values in enumerate(recordings)]
    datasets, attributes = prepared(lambda: Audio(paths, length, hop=hop), keep_order=True)
    starts = [
        (values, start)
        for values in recordings
        for start in range(0, len(values) - length + 1, hop or length)
    ]
    expected = np.array([values[start : start + length, 0] for values, start in starts]) / 2**15
    assert len(expected) == rows and np.array_equal(datasets["samples"], expected.astype(np.float32))
    assert (attributes["kind"], attributes["rate"], attributes["low"], attributes["high"]) == (
        "audio",
        8000,
        -1,
        1,
    )


@pytest.mark.parametrize("rate", [5000, 8000, 22_050])
def test_resampled_in_blocks_as_in_one(put, prepared, monkeypatch, rate):
    monkeypatch.setattr(audio, "RESAMPLED_NUMBERS", 1000)
    recordings = [(tone(7000), 8000), (tone(0), 8000), (tone(5001, 44_100), 44_100)]
    paths = [put(f"{i}.wav", wav(values, its)) for i, (values, its) in enumerate(recordings)]
    datasets, attributes = prepared(lambda: Audio(paths, 50, rate, hop=13), keep_order=True)
    wholes = [
        resample_poly(values[:, 0] / 2**15, rate, its) if len(values) else values[:, 0]
        for values, its in recordings
    ]
    frames = [whole[start : start + 50] for whole in wholes for start in range(0, len(whole) - 49, 13)]
    assert datasets["samples"] == pytest.approx(np.array(frames), abs=1e-6) and attributes["rate"] == rate


def test_what_the_filter_overshoots_is_cut_off(put, in_pieces):
    square = np.where(np.arange(4000) // 50 % 2, 32_767, -32_768)[:, None]
    samples = in_pieces(Audio([put("x.wav", wav(square))], 100, rate=12_000)).samples
    assert (samples.min(), samples.max()) == (-1, 1)


def test_only_files_of_the_rows_asked_for_are_read(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(wav(tone(40)))
    source = Audio([tmp_path / "a", tmp_path / "b"], 10)
    source.survey(MPI.COMM_SELF)
    (tmp_path / "b").unlink()
    assert len(source.read(1, 4)) == 3


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", r"x.wav: not a WAV file of 8, 16, 24 or 32 bit PCM \(damaged\); convert it: ffmpeg -i .*x.wav"),
        (b"ID3" + bytes(100), r"not a WAV file .* \(file does not start with RIFF id\)"),
        (wav(tone(20))[:30], r"not a WAV file .* \(damaged\)"),
        (wav(tone(20)).replace(b"fmt ", b"junk"), "not a WAV file"),
        (wav(tone(20)).replace(b"WAVEfmt \x10", b"WAVEjunk\xff"), r"not a WAV file .* \(damaged\)"),
        (wav(tone(20))[:40], r"not a WAV file .* chunk missing"),
        (wav(tone(20))[:-1], "x.wav: truncated: fewer than the 20 numbers of its header; copy it again"),
        (header(format=3, bits=32), r"not a WAV file .* \(unknown format: 3\)"),
        (header(format=1, bits=64), r"not a WAV file .* \(64 bits, 8000 numbers per second\)"),
        (
            wav(tone(20), rate=16_000),
            "x.wav: 16000 numbers per second, but .*good.wav has 8000; give --rate R",
        ),
    ],
)
def test_files_that_cannot_be_used(comm, put, content, message):
    paths = [put("good.wav", wav(tone(20))), put("x.wav", content)]
    with pytest.raises(InputError, match=message):
        Audio(paths, 10).survey(comm)


def test_missing_files_and_no_frames(comm, put):
    path = put("short.wav", wav(tone(20)))
    with pytest.raises(InputError, match="missing.wav: No such file"):
        Audio([path, path.with_name("missing.wav")], 10).survey(comm)
    with pytest.raises(
        InputError, match="short.wav: no frame of --length 21; the longest file has 20 numbers"
    ):
        Audio([path], 21).survey(comm)


def test_without_scipy(comm, put, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.signal", None)
    path = put("x.wav", wav(tone(20)))
    for rate in (None, 8000):
        source = Audio([path], 10, rate)
        source.survey(comm)
        assert len(source.read(0, 2)) == 2
    source = Audio([path], 10, 16_000)
    source.survey(comm)
    with pytest.raises(InputError, match=r"needs scipy: pip install 'hpcgen\[audio\]'"):
        source.read(0, 2)
