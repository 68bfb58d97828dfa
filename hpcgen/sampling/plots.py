"""Plots of samples: grids of pictures, and curves."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

# Smaller pictures are enlarged to about this many pixels.
CELL = 56
# The pixels of a side of the square that holds the curves of a sample.
CURVE_CELL = 96
# Curves are drawn this many times as large as they are shown, which smooths them.
SMOOTHING = 2
# The colours of Okabe and Ito, "Color universal design" (2008), which colour-blind people can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# zlib's level: higher ones take several times as long, and save a few per cent.
COMPRESSION = 2
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
    unit = (samples.astype(np.float64) - low) / (high - low)
    if samples.ndim == 4:
        page = _side_by_side(_pictures(unit if unit.shape[3] in (1, 3) else unit[..., :1]), columns, "gray")
    else:
        page = _side_by_side([_curves(sample) for sample in unit], columns, "white")
    page.save(path, "PNG", compress_level=COMPRESSION)


def _side_by_side(pictures: Sequence[Image.Image], columns: int, background: str) -> Image.Image:
    """Return one picture with pictures of equal size in rows of `columns`."""
    step = np.array(pictures[0].size) + GAP
    width, height = step * [columns, math.ceil(len(pictures) / columns)] + GAP
    page = Image.new(pictures[0].mode, (int(width), int(height)), background)
    for i, picture in enumerate(pictures):
        page.paste(picture, tuple((step * [i % columns, i // columns] + GAP).tolist()))
    return page


def _pictures(unit: np.ndarray) -> list[Image.Image]:
    """Return samples (n, height, width, 1 or 3) in [0, 1] as pictures.

    Small pictures are enlarged by an integer factor, with smoothing.
    """
    images = np.clip(np.rint(unit * 255), 0, 255).astype(np.uint8)
    images = images.squeeze(3) if images.shape[3] == 1 else images
    height, width = images.shape[1:3]
    factor = max(1, CELL // max(height, width))
    size = (width * factor, height * factor)
    return [Image.fromarray(image).resize(size, Image.Resampling.BICUBIC) for image in images]


def _curves(unit: np.ndarray) -> Image.Image:
    """Return the picture of a sample in [0, 1].

    A sample (length, channels) has a curve for each channel. A sample with more axes is one curve of all its
    numbers.
    """
    side = CURVE_CELL * SMOOTHING
    picture = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(picture)
    curves = unit.T if unit.ndim == 2 else unit.reshape(1, -1)
    for curve, color in zip(curves, COLORS, strict=False):
        points = _points(curve, 0, side - SMOOTHING)
        # Pillow takes ten times as long for lines of two pixels as for these three of one.
        for shift in ((0, 0), (1, 0), (0, 1)):
            draw.line((points + shift).reshape(-1).tolist(), color)
    return picture.reduce(SMOOTHING)


def _points(curve: np.ndarray, first: float, last: float) -> np.ndarray:
    """Return the (x, y) of a curve from x = first to last, (n, 2). 1 is at y = first, 0 at y = last.

    Of a long curve, each column of the picture has the smallest and the largest y: between them it is filled.
    """
    y = last + np.clip(curve, 0, 1) * (first - last)
    if len(y) > 2 * CURVE_CELL:
        starts = np.arange(CURVE_CELL) * len(y) // CURVE_CELL
        y = np.stack([np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)], 1).reshape(-1)
    return np.stack([np.linspace(first, last, len(y)), y], 1)
