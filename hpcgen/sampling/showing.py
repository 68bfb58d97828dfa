"""Samples as people look at them, or listen to them: pictures, text, sound."""

import wave
from pathlib import Path

import numpy as np

from hpcgen.errors import InputError
from hpcgen.sampling import plots

# Seconds of silence between samples, and the line between texts.
SILENCE, LINE = 0.2, "-" * 16


def natural(schema):
    """Return the ending of the file in which samples of this kind are best shown."""
    return {"text": ".txt", "audio": ".wav"}.get(schema.kind, ".png")


def check(path, schema, ending):
    """Raise InputError if samples of this kind cannot be shown in a file of this kind."""
    kinds = {".txt": ("text",), ".wav": ("audio",), ".png": ("image", "array", "audio")}
    if schema.kind not in kinds[ending]:
        raise InputError(f"{path}: samples of kind {schema.kind} cannot be shown so; take {natural(schema)}")


def save(samples, path, schema, ending, group=1):
    """Write samples, as they lie in a data file, to a file of the kind ".png", ".txt" or ".wav", whole or not
    at all.

    Each `group` of them stands in one row of a picture.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    SAVERS[ending](samples, part, schema, group)
    part.replace(path)


def texts(samples, schema):
    """Return tokens (n, length) as text, samples apart."""
    return f"\n{LINE}\n".join(schema.text(tokens) for tokens in samples)


def _save_text(samples, path, schema, group):
    path.write_text(texts(samples, schema) + "\n", encoding="utf-8")


def _save_sound(samples, path, schema, group):
    """16 bits a number, one sample after the other."""
    channels = schema.shape[1] if len(schema.shape) > 1 else 1
    unit = (samples.reshape(len(samples), -1, channels).astype(np.float64) - schema.low) / (
        schema.high - schema.low
    )
    silence = np.full((len(samples), int(SILENCE * schema.rate), channels), 0.5)
    sound = np.concatenate([unit.clip(0, 1), silence], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(schema.rate)
        file.writeframes(np.rint(sound * 65534 - 32767).astype("<i2").tobytes())


SAVERS = {
    ".png": lambda samples, path, schema, group: plots.save_picture(
        samples, path, schema.low, schema.high, group
    ),
    ".txt": _save_text,
    ".wav": _save_sound,
}
