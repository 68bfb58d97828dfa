import numpy as np

from hpcgen.data.sources.digits import Digits


def test_digits(in_pieces):
    samples, _, labels = in_pieces(Digits())
    assert samples.shape == (1797, 8, 8, 1) and samples.max() == 255
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert Digits(28).read(0, 2).samples.shape == (2, 28, 28, 1)
