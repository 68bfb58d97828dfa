"""What the compiled loops are made from."""

from hpcgen.nn.kernels import sources
from hpcgen.nn.kernels.plain.filters import POINT_A, POINT_B


def test_the_compiled_loops_get_the_points_exactly():
    options = dict(option.removeprefix("-D").split("=") for option in sources.definitions())
    assert {name: float.fromhex(value) for name, value in options.items()} == {
        "POINT_A": POINT_A,
        "POINT_B": POINT_B,
    }


def test_other_points_are_other_sources(monkeypatch):
    before = sources.fingerprint()
    monkeypatch.setattr(sources, "POINT_A", 0.5)
    assert sources.fingerprint() != before
