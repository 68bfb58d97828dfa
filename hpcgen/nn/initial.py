"""Initial values of weights."""

import numpy as np

from hpcgen.arrays import Array, standard_normal, uniform


def fill(weight: Array, random: np.random.Generator, fan_in: int, deviation: float | None = None) -> None:
    """Fill `weight` with random numbers from the Generator `random`.

    Without `deviation` they are uniform in +-1/sqrt(fan_in), PyTorch's default for linear and convolutional
    layers (He et al. 2015, arXiv:1502.01852, eq. 14, with a = sqrt(5)). Otherwise they are normal with that
    standard deviation, for example 0.02 as in DCGAN.
    """
    if deviation is None:
        weight[...] = uniform(random, weight.shape, weight.dtype)
        weight -= 0.5
        weight *= 2 * fan_in**-0.5
    elif deviation == 0:
        weight[...] = 0
    else:
        weight[...] = standard_normal(random, weight.shape, weight.dtype)
        weight *= weight.dtype.type(deviation)
