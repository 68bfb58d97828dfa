"""Plots of samples: grids of pictures, and curves."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

# Smaller pictures are enlarged to about this many pixels.
CELL = 56
# Pixels between two pictures.
GAP = 4
# A last axis shorter than this holds channels. A longer one is a spatial axis.
CHANNELS_BELOW = 8


def save_plot(samples: np.ndarray, path: Path, low: float, high: float, group: int = 1) -> None:
    """Write a grid of samples (n, ...) in [low, high] as PNG, even if the path has another ending.

    The grid is about square, with whole groups in a row. Pictures are shown as they are, volumes as the
    middle slice of their first axis, and other samples as curves. One or three channels are shown together.
    Of any other number of channels only the first is shown.
    """
    columns = group * math.ceil(math.sqrt(len(samples)) / group)
    samples = samples if samples.shape[-1] < CHANNELS_BELOW else samples[..., None]
    if samples.ndim == 5:
        samples = samples[:, samples.shape[1] // 2]
    if samples.ndim == 4:
        _grid(samples if samples.shape[3] in (1, 3) else samples[..., :1], path, low, high, columns)
    else:
        _curves(samples, path, low, high, columns)


def _grid(samples: np.ndarray, path: Path, low: float, high: float, columns: int) -> None:
    """Draw pictures side by side on grey. Enlarge small pictures by an integer factor, with smoothing."""
    unit = (samples.astype(np.float64) - low) / (high - low)
    images = np.clip(np.rint(unit * 255), 0, 255).astype(np.uint8)
    images = images.squeeze(3) if images.shape[3] == 1 else images
    n, height, width = images.shape[:3]
    factor = max(1, CELL // max(height, width))
    step = np.array([width, height]) * factor + GAP
    size = step * [columns, math.ceil(n / columns)] + GAP
    grid = Image.new("L" if images.ndim == 3 else "RGB", (int(size[0]), int(size[1])), color="gray")
    for i, image in enumerate(images):
        enlarged = Image.fromarray(image).resize((width * factor, height * factor), Image.Resampling.BICUBIC)
        grid.paste(enlarged, tuple((step * [i % columns, i // columns] + GAP).tolist()))
    grid.save(path, "PNG")


def _curves(samples: np.ndarray, path: Path, low: float, high: float, columns: int) -> None:
    """Draw each sample in its own axes.

    A sample (length, channels) has a curve for each channel. A sample with more axes is one curve of all its
    numbers.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 10))
    FigureCanvasAgg(figure)
    for i, sample in enumerate(samples):
        axes = figure.add_subplot(-(-len(samples) // columns), columns, i + 1)
        axes.plot(sample if sample.ndim == 2 else sample.reshape(-1), linewidth=0.8)
        axes.set_ylim(low, high)
        axes.set_axis_off()
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.99)
    figure.savefig(path, format="png", dpi=80)
