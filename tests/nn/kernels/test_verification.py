"""The check that follows each compilation."""

import numpy as np

from hpcgen.nn.kernels import plain, verification


def test_the_check_after_compiling_reaches_every_kernel(compiled, monkeypatch):
    cases = verification.cases(np.random.default_rng(0), np.float32)
    assert {kernel for kernel, _ in cases} == {*plain.__all__} - {"NAME"}
    assert verification.differing() == []
    monkeypatch.setattr(compiled, "approach", lambda average, values, share: None)
    assert verification.differing() == ["approach"]
