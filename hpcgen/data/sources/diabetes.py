"""The 442 diabetes patients that scikit-learn ships (Efron et al. 2004, doi:10.1214/009053604000000067)."""

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.errors import InputError


class Diabetes(Source):
    """Inputs: age, sex, body mass index, blood pressure and six blood serum measurements, in their units.
    Sample: the progression of the disease after one year."""

    kind, dtype, shape = "array", np.float32, (1,)
    columns, name = ("inputs", "samples"), "scikit-learn diabetes"

    def __init__(self) -> None:
        try:
            from sklearn.datasets import load_diabetes
        except ImportError:
            raise InputError("prepare diabetes needs scikit-learn: pip install 'hpcgen[examples]'") from None
        patients = load_diabetes(scaled=False)
        self._inputs = patients.data.astype(np.float32)
        self._samples = patients.target.astype(np.float32)[:, None]
        self.rows = len(self._samples)

    def read(self, start: int, stop: int) -> Rows:
        return Rows(self._samples[start:stop], inputs=self._inputs[start:stop])
