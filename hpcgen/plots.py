"""Pictures of samples."""

from pathlib import Path

import numpy as np
from PIL import Image

CELL = 56


def save_picture(samples, path, low, high):
    """Write a square grid of samples in [low, high] as PNG: pictures (n, h, w, 1 or 3) or (n, h, w) as such, others as curves."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    picture = samples.ndim == 3 or (samples.ndim == 4 and samples.shape[3] in (1, 3))
    (_grid if picture else _curves)(samples, part, low, high)
    part.replace(path)


def _grid(samples, path, low, high):
    """Pictures side by side with a one-pixel border, enlarged by a whole factor where they are small."""
    unit = (samples.astype(np.float64) - low) / (high - low)
    images = np.clip(np.rint(unit * 255), 0, 255).astype(np.uint8).reshape(*samples.shape[:3], -1)
    factor = max(1, CELL // images.shape[1])
    images = images.repeat(factor, axis=1).repeat(factor, axis=2)
    n, height, width, channels = images.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height + 1, width + 1, channels), np.uint8)
    cells[:n, :height, :width] = images
    grid = cells.reshape(rows, columns, height + 1, width + 1, channels).swapaxes(1, 2)
    grid = grid.reshape(rows * (height + 1), columns * (width + 1), channels)[:-1, :-1]
    Image.fromarray(grid.squeeze(2) if channels == 1 else grid).save(path, "PNG")


def _curves(samples, path, low, high):
    """Each sample's numbers, in order, as a curve in its own axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = int(np.ceil(np.sqrt(len(samples))))
    figure = Figure(figsize=(10, 10))
    FigureCanvasAgg(figure)
    for i, sample in enumerate(samples):
        axes = figure.add_subplot(-(-len(samples) // columns), columns, i + 1)
        axes.plot(sample.reshape(-1), linewidth=0.8)
        axes.set_ylim(low, high)
        axes.set_axis_off()
    figure.savefig(path, format="png", dpi=80)
