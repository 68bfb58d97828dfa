"""What `hpcgen sample` is asked for."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SampleOptions:
    """What is drawn, and where it goes.

    `count` samples (None: 64, or as many as the given file has rows) go into the file `out` (.h5, .npy, .txt,
    .wav) and a plot `png`. Text without either is logged. A conditional model draws them for `label` (None:
    all labels in turn), a model of inputs for the rows of the file `inputs`. For autoencoders `reconstruct`
    names a data file whose rows are encoded and decoded, and `interpolate` is the number of samples from each
    code to the next.
    """

    count: int | None = None
    seed: int = 0
    out: Path | None = None
    png: Path | None = None
    label: int | None = None
    inputs: Path | None = None
    reconstruct: Path | None = None
    interpolate: int | None = None
