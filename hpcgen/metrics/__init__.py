"""How far generated samples are from data: array maths in blocks of rows, the same bits on any number of
ranks.

A set of samples is cut in fixed blocks of rows. A metric is a function of one block (and of the whole other
set, where it needs that), computed in float64 from arrays whose shapes depend on the block alone, and a
function that combines the results of all blocks in their order. Who computes a block is then no part of the
result:

    parts = [Moments.of(x[block]) for block in blocks(len(x))]      divided among ranks, gathered in order
    frechet.distance(merge(parts), merge(parts_of_data))

As everywhere, bits need one BLAS thread (`hpcgen.runtime.one_blas_thread`). Features are matrices (n, d);
sets are not empty. NaN and infinity are refused with a ValueError.
"""
