"""Samples for people: plots, text and sound."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.files.replacing import replaced
from hpcgen.sampling.plots import save_plot

# Seconds of silence after each sample of a sound file.
SILENCE_SECONDS = 0.2
# The line between two samples of text.
LINE = "-" * 16
# The largest 16-bit number of a sound file.
LOUDEST = 32767


def natural(schema: Schema) -> str:
    """Return the file ending that suits samples of this kind."""
    return {"text": ".txt", "audio": ".wav"}.get(schema.kind, ".png")


def check(path: Path, schema: Schema, ending: str) -> None:
    """Raise InputError if samples of this kind cannot be written to a file with this ending."""
    kinds = {".txt": ("text",), ".wav": ("audio",), ".png": ("image", "array", "audio")}
    if schema.kind not in kinds[ending]:
        raise InputError(f"{path}: cannot show samples of kind {schema.kind}; use {natural(schema)}")


def save(samples: np.ndarray, path: Path, schema: Schema, ending: str, group: int = 1) -> None:
    """Write samples to a file of the kind ".png", ".txt" or ".wav", completely or not at all.

    A plot keeps each `group` of samples in one row. Raises the errors of `hpcgen.files.replacing.replaced`.
    The folder must exist.
    """
    with replaced(path) as temporary:
        SAVERS[ending](samples, temporary, schema, group)


def texts(samples: np.ndarray, schema: Schema) -> str:
    """Return tokens (n, length) as text, with a line between samples."""
    return f"\n{LINE}\n".join(schema.text(tokens) for tokens in samples)


def _save_plot(samples: np.ndarray, path: Path, schema: Schema, group: int) -> None:
    save_plot(samples, path, schema.low, schema.high, group)


def _save_text(samples: np.ndarray, path: Path, schema: Schema, group: int) -> None:
    path.write_text(texts(samples, schema) + "\n", encoding="utf-8")


def _save_sound(samples: np.ndarray, path: Path, schema: Schema, group: int) -> None:
    """Write one sample after the other, with 16 bits per number."""
    channels = schema.shape[1] if len(schema.shape) > 1 else 1
    numbers = samples.reshape(len(samples), -1, channels).astype(np.float64)
    unit = (numbers - schema.low) / (schema.high - schema.low)
    silence = np.full((len(samples), int(SILENCE_SECONDS * schema.rate), channels), 0.5)
    sound = np.concatenate([unit.clip(0, 1), silence], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(schema.rate)
        file.writeframes(np.rint(sound * (2 * LOUDEST) - LOUDEST).astype("<i2").tobytes())


SAVERS: dict[str, Callable[[np.ndarray, Path, Schema, int], None]] = {
    ".png": _save_plot,
    ".txt": _save_text,
    ".wav": _save_sound,
}
