"""How far generated samples are from data, in blocks of rows, with the same bits at any number of ranks.

A set of samples is cut into fixed blocks of rows. A metric has two functions. The first computes in float64
from one block, and from the whole other set if it needs that. The shapes of its arrays depend on the block
alone. The second combines the results of all blocks in their order. The result is therefore the same whoever
computes a block:

    parts = [Moments.of(x[block]) for block in blocks(len(x))]      divided among ranks, gathered in order
    frechet.distance(merge(parts), merge(parts_of_data))

BLAS must use one thread (`hpcgen.runtime.one_blas_thread`). Features are matrices (n, d). Sets are not empty.
NaN and infinity raise a ValueError.
"""
