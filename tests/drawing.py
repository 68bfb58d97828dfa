"""How hypothesis draws: the same examples in every run and on every rank. A `numpy.random.Generator` in a
test's arguments is drawn by its seed."""

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

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

st.register_type_strategy(np.random.Generator, st.builds(np.random.default_rng, st.integers(0, 9999)))
