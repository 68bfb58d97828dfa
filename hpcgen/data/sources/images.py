"""A folder of pictures in any format that Pillow reads. Each is cropped to its central square and resized.
Transparent pixels become white."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.errors import InputError

MODES = {1: "L", 3: "RGB"}


class Images(Source):
    """The pictures below `folder` in the order of their paths, (size, size, channels) each.

    A picture that cannot be read is an error. With `skip_bad` it is left out, and `left_out` says why.
    """

    kind = "image"

    def __init__(self, folder: Path | str, size: int, channels: int = 3, skip_bad: bool = False) -> None:
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder of pictures")
        endings = _endings()
        self._paths = sorted(
            path for path in folder.rglob("*") if path.suffix.lower() in endings and path.is_file()
        )
        if not self._paths:
            raise InputError(f"{folder}: holds no pictures (file names must end in .png, .jpg, ...)")
        self.rows, self.shape, self.name = len(self._paths), (size, size, channels), str(folder)
        self._skip_bad = skip_bad
        self.left_out: list[str] = []

    def read(self, start: int, stop: int) -> Rows:
        pictures, count = np.empty((stop - start, *self.shape), np.uint8), 0
        for path in self._paths[start:stop]:
            try:
                pictures[count] = self._picture(path)
                count += 1
            except InputError as error:
                if not self._skip_bad:
                    raise InputError(f"{error}; repair or remove it, or give --skip-bad") from None
                self.left_out.append(f"{error}; left out")
        return Rows(pictures[:count])

    def _picture(self, path: Path) -> np.ndarray:
        try:
            with Image.open(path) as image:
                pixels = np.asarray(
                    _opaque(_eight_bits(ImageOps.exif_transpose(image))).convert(MODES[self.shape[2]])
                )
        except Exception as error:  # Pillow's readers may raise any error on a damaged file
            raise InputError(f"{path}: not a readable picture ({error})") from None
        side = min(pixels.shape[:2])
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        return resized(pixels[top : top + side, left : left + side], self.shape[0]).reshape(self.shape)


def _endings() -> set[str]:
    """Return the file endings that Pillow reads. It also lists HDF5 endings, but cannot read them."""
    endings = Image.registered_extensions()
    foreign = {reader.format for reader in ImageFile.StubImageFile.__subclasses__()}
    return {ending for ending, format in endings.items() if format not in foreign}


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture with 16 bits per pixel as one with 8 bits. Pillow's own conversion would clip all
    values above 255."""
    if image.mode == "F":
        raise InputError("it holds floating-point numbers; save them as .npy for 'hpcgen prepare array'")
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """Return an RGB picture. Transparent pixels of `image` become white."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize the square uint8 picture `pixels` (h, h) or (h, h, 3) to (size, size, ...), by bicubic
    interpolation."""
    if len(pixels) == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC))
