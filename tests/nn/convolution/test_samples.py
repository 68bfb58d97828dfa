"""Samples that a convolution reads and writes a chunk at a time."""

import numpy as np

from hpcgen.nn.convolution.samples import Kept, Whole


def test_the_chunks_of_an_array(random):
    array, done = random.random((5, 3)), []
    samples = Whole(array, done.append)
    for chunk in (slice(0, 2), slice(2, 5)):
        assert np.array_equal(samples.read(chunk), array[chunk])
        samples.open(chunk)[...] = chunk.start
        samples.close(chunk)
    assert done == [slice(0, 2), slice(2, 5)] and array[:, 0].tolist() == [0, 0, 2, 2, 2]


def test_factors_are_made_once_for_each_chunk_and_kind(random):
    array, made = random.random((5, 3)), []

    def double(x):
        made.append(len(x))
        return 2 * x

    for samples, calls in ((Whole(array), 6), (Kept(array), 3)):
        made.clear()
        for _ in range(2):
            for kind, chunk in ((0, slice(0, 2)), (0, slice(2, 5)), (4, slice(0, 2))):
                assert np.array_equal(samples.factors(double, kind, chunk), 2 * array[chunk])
        assert len(made) == calls
