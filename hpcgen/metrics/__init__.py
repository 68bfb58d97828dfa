"""Distances between generated samples and data, with the same bits at any number of ranks.

A set of samples is cut into fixed blocks of rows. A metric has two functions. The first computes the result
of one block in float64. It may also use all of the other set. The shapes of its arrays depend only on the
block. The second function combines the results of all blocks in order. The result therefore does not depend
on which rank computes a block:

    parts = [Moments.of(x[block]) for block in blocks(len(x))]      divided among ranks, gathered in order
    frechet.distance(merge(parts), merge(parts_of_data))

BLAS must use one thread (`hpcgen.runtime.one_blas_thread`). Features are matrices (n, d). Sets must not be
empty. NaN and infinity raise a ValueError.
"""
