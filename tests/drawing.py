"""How hypothesis draws, the same examples in every run and on every rank, and numbers for layers.

A `numpy.random.Generator` in a test's arguments is drawn by its seed.
"""

import os

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hpcgen.nn.vector import Layout, Vector

# No health check: what they measure is time, which differs between ranks.
settings.register_profile(
    "hpcgen",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=25,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("hpcgen")

RANKS = int(os.environ.get("OMPI_COMM_WORLD_SIZE") or os.environ.get("PMI_SIZE") or 1)


def examples(count):
    """Return the settings of a test with `count` examples at one rank, and fewer at several ranks, where each
    takes longer."""
    return settings(max_examples=2 * count // (1 + RANKS))


st.register_type_strategy(np.random.Generator, st.builds(np.random.default_rng, st.integers(0, 9999)))


def filled(layer, random, dtype=np.float64):
    """Return a Vector of a layer's parameters and buffers, all normal numbers, variances positive."""
    theta = Vector(Layout(layer.parameters(), layer.buffers()), dtype=dtype)
    theta.data[...] = random.standard_normal(theta.data.size)
    for name in layer.buffers():
        if name.endswith("variance"):
            theta[name][...] = np.abs(theta[name]) + 0.1
    return theta
