"""The options of `hpcgen sample`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SampleOptions:
    """Which samples are drawn, and where they are written.

    `count` samples (None: 64, or as many as the given file has rows) are written to the file `out` (.h5,
    .npy, .txt, .wav) and plotted in `png`. Without both, samples of text are logged. A conditional model
    draws samples for `label` (None: for all labels in turn). A model of inputs draws a sample for each row of
    the file `inputs`. For autoencoders, `reconstruct` is a data file whose rows are encoded and decoded, and
    `interpolate` is the number of samples from each code to the next. `space` ranks share a sample if the run
    divides samples into cells (0: as few as possible, see `drawing_model`).
    """

    count: int | None = None
    seed: int = 0
    out: Path | None = None
    png: Path | None = None
    label: int | None = None
    inputs: Path | None = None
    reconstruct: Path | None = None
    interpolate: int | None = None
    space: int = 0
