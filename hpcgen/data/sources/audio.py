"""Recordings in WAV files (PCM), cut into frames of one channel."""

import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source, names_of
from hpcgen.errors import InputError
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition

if TYPE_CHECKING:
    from mpi4py import MPI

# Approximate number of numbers that are resampled at a time.
RESAMPLED_NUMBERS = 1 << 20
# SciPy's filter extends 10 max(up, down) / up samples to each side: at most 10 periods of `down`.
FILTER_PERIODS = 10


class Audio(Source):
    """Frames of `length` numbers. In each file a frame begins every `hop` numbers (default: `length`). The
    end of a file that does not fill a frame is dropped.

    All files must have the same rate, unless they are resampled to `rate` (numbers per second). A rank reads
    the headers of its share of the files, and later the parts of the files that hold its rows.
    """

    kind, dtype, range = "audio", np.float32, (-1.0, 1.0)

    def __init__(
        self, paths: Sequence[Path | str], length: int, rate: int | None = None, hop: int | None = None
    ) -> None:
        self._paths, self._length, self._asked_rate, self._hop = paths, length, rate, hop or length
        self.name, self.shape = names_of(paths), (length,)

    def survey(self, comm: "MPI.Comm") -> None:
        mine = Partition.even(len(self._paths), comm.size).slice(comm.rank)
        with agree(comm):
            found = [Recording(path) for path in self._paths[mine]]
        recordings = [recording for rank in comm.allgather(found) for recording in rank]
        rate = self._asked_rate or _common_rate(recordings)
        self._sounds = [Resampled(recording, rate) for recording in recordings]
        self._frames = Partition(
            max(0, (sound.count - self._length) // self._hop + 1) for sound in self._sounds
        )
        self.rows, self.rate = self._frames.total, rate
        if self.rows == 0:
            longest = max(sound.count for sound in self._sounds)
            raise InputError(
                f"{self.name}: no frame of --length {self._length}; the longest file has {longest} numbers"
            )

    def read(self, start: int, stop: int) -> Rows:
        frames = np.empty((stop - start, self._length), np.float32)
        for part, inside, target in self._frames.pieces(start, stop):
            first, last = inside.start * self._hop, (inside.stop - 1) * self._hop
            samples = self._sounds[part].read(first, last + self._length)
            frames[target] = sliding_window_view(samples, self._length)[:: self._hop]
        return Rows(frames)


def _common_rate(recordings: "Sequence[Recording]") -> int:
    first = recordings[0]
    for recording in recordings:
        if recording.rate != first.rate:
            raise InputError(
                f"{recording.path}: {recording.rate} numbers per second, but {first.path} has {first.rate}; "
                "give --rate R to resample all files to R"
            )
    return first.rate


class Recording:
    """A WAV file of `count` numbers of 8, 16, 24 or 32 bits, `rate` per second.

    Ranks exchange these objects, which hold no open file.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = path
        with self._open() as file:
            self.rate, self.count = file.getframerate(), file.getnframes()
            if file.getsampwidth() > 4 or self.rate == 0:
                raise wave.Error(f"{8 * file.getsampwidth()} bits, {self.rate} numbers per second")
            file.setpos(max(0, self.count - 1))
            if self.count and len(file.readframes(1)) < file.getsampwidth() * file.getnchannels():
                raise InputError(
                    f"{path}: truncated: fewer than the {self.count} numbers of its header; copy it again"
                )

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the numbers [start, stop) in [-1, 1], the mean of the channels, as (n,) float64."""
        with self._open() as file:
            file.setpos(start)
            width, channels = file.getsampwidth(), file.getnchannels()
            data = np.frombuffer(file.readframes(stop - start), np.uint8).reshape(-1, channels, width)
        # Numbers of any width become the upper bytes of 32-bit integers.
        words = np.zeros((*data.shape[:2], 4), np.uint8)
        words[..., 4 - width :] = data
        if width == 1:  # only 8-bit numbers are unsigned
            words[..., 3] ^= 0x80
        return words.view("<i4")[..., 0].mean(axis=1) / 2**31

    @contextmanager
    def _open(self) -> Iterator[wave.Wave_read]:
        try:
            with wave.open(str(self.path), "rb") as file:
                yield file
        except (wave.Error, EOFError, RuntimeError) as error:
            raise InputError(
                f"{self.path}: not a WAV file of 8, 16, 24 or 32 bit PCM ({str(error) or 'damaged'}); "
                f"convert it: ffmpeg -i {self.path} -c:a pcm_s16le NEW.wav"
            ) from None
        except OSError as error:
            raise InputError(f"{self.path}: {error.strerror or error}") from None


class Resampled:
    """A recording of `count` numbers, resampled to `rate`, which may be its own rate.

    It is computed in fixed blocks. Its bits therefore do not depend on which rank reads which part.
    """

    def __init__(self, recording: Recording, rate: int) -> None:
        self._recording, common = recording, gcd(rate, recording.rate)
        self._up, self._down = rate // common, recording.rate // common
        self._periods = max(1, RESAMPLED_NUMBERS // max(self._up, self._down))
        self.count = -(-recording.count * self._up // self._down)
        block = self._periods * self._up
        self._blocks = Partition([block] * -(-self.count // block))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the numbers [start, stop) in [-1, 1], as (n,) float32."""
        samples = np.empty(stop - start, np.float32)
        for block, inside, target in self._blocks.pieces(start, stop):
            samples[target] = self._block(block)[inside]
        return samples

    def _block(self, block: int) -> np.ndarray:
        first = block * self._periods
        start, stop = max(0, first - FILTER_PERIODS), first + self._periods + FILTER_PERIODS
        samples = self._recording.read(start * self._down, min(stop * self._down, self._recording.count))
        return _resampled(samples, self._up, self._down)[(first - start) * self._up :].clip(
            -1, 1
        )  # the filter overshoots


def _resampled(samples: np.ndarray, up: int, down: int) -> np.ndarray:
    if up == down:
        return samples
    try:
        from scipy.signal import resample_poly
    except ImportError:
        raise InputError("prepare audio --rate needs scipy: pip install 'hpcgen[audio]'") from None
    return resample_poly(samples, up, down)
