"""Settings are fields of dataclasses with their limits."""

from dataclasses import dataclass, fields

import pytest

from hpcgen.settings import setting


@dataclass(frozen=True)
class Options:
    count: int = setting(ge=1, help="how many")
    share: float = setting(0.5, gt=0, lt=1)
    names: list = setting(list, choices=("a", "b"))


def test_a_default_is_a_value_or_a_factory():
    one, other = Options(3), Options(3)
    assert one == Options(3, 0.5, []) and one.names is not other.names
    with pytest.raises(TypeError, match="count"):
        Options()


def test_limits_stay_with_the_field():
    assert [dict(field.metadata) for field in fields(Options)] == [
        {"ge": 1, "help": "how many"},
        {"gt": 0, "lt": 1},
        {"choices": ("a", "b")},
    ]
