"""A folder of pictures in any format that Pillow reads: cropped to the central square, resized."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hpcgen.data.file import Rows
from hpcgen.data.sources import Source
from hpcgen.errors import InputError

MODES = {1: "L", 3: "RGB"}


class Images(Source):
    """The pictures below `folder` in the order of their paths, as (size, size, channels)."""

    kind = "image"

    def __init__(self, folder, size, channels=3, skip_bad=False, warn=print):
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder of pictures")
        endings = set(Image.registered_extensions())
        self._paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings and path.is_file())
        if not self._paths:
            raise InputError(f"{folder}: holds no picture (file names end in .png, .jpg, ...)")
        self.rows, self.shape, self.name = len(self._paths), (size, size, channels), str(folder)
        self._skip_bad, self._warn = skip_bad, warn

    def read(self, start, stop):
        pictures, count = np.empty((stop - start, *self.shape), np.uint8), 0
        for path in self._paths[start:stop]:
            try:
                pictures[count] = self._picture(path)
                count += 1
            except InputError as error:
                if not self._skip_bad:
                    raise
                self._warn(f"skipped: {error}")
        return Rows(pictures[:count])

    def _picture(self, path):
        try:
            with Image.open(path) as image:
                pixels = np.asarray(_eight_bits(ImageOps.exif_transpose(image), path).convert(MODES[self.shape[2]]))
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"{path}: not a readable picture ({error}); repair or remove it, or give --skip-bad") from None
        side = min(pixels.shape[:2])
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        return resized(pixels[top : top + side, left : left + side], self.shape[0]).reshape(self.shape)


def _eight_bits(image, path):
    """Return a picture of 16 bits a pixel with 8: Pillow's own conversion would cut off all above 255."""
    if image.mode == "F":
        raise InputError(
            f"{path}: a picture of floating-point numbers; use 'hpcgen prepare array' for such data, or --skip-bad"
        )
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return image


def resized(pixels, size):
    """Return the square uint8 picture `pixels` (h, h) or (h, h, 3) as (size, size, ...), by bicubic interpolation."""
    if len(pixels) == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC))
