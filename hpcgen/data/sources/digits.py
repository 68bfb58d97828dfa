"""The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships (Alpaydin & Kaynak 1998, UCI)."""

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.data.sources.images import resized
from hpcgen.errors import InputError


class Digits(Source):
    """Pictures (size, size, 1), enlarged from 8 x 8 pixels, with the labels 0 to 9."""

    kind, columns, name = "image", ("samples", "labels"), "scikit-learn digits"

    def __init__(self, size: int = 8) -> None:
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise InputError("prepare digits needs scikit-learn: pip install 'hpcgen[examples]'") from None
        digits = load_digits()
        self.shape = (size, size, 1)
        self._images = np.round(digits.images * (255 / 16)).astype(np.uint8)
        self._labels = digits.target.astype(np.int64)
        self.rows = len(self._images)

    def read(self, start: int, stop: int) -> Rows:
        images = [resized(image, self.shape[0]) for image in self._images[start:stop]]
        return Rows(np.array(images, np.uint8).reshape(-1, *self.shape), labels=self._labels[start:stop])
