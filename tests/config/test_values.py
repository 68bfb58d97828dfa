"""Values of a run file: held to their type and their limits, or named with what is allowed."""

from dataclasses import dataclass

import pytest

from hpcgen.config.values import build, shown, subtable, unknown, value_of
from hpcgen.errors import InputError
from hpcgen.settings import setting

WITHIN = {"ge": 1, "le": 9}
EITHER = "an integer >= 1 and <= 9, or a list of integers >= 1 and <= 9"
SHARE = {"gt": 0, "lt": 1}
CHOICES = {"choices": ("adam", "sgd"), "aliases": {"plain": "sgd"}}


@pytest.mark.parametrize(
    "value, kind, limits, expected",
    [
        (3, int, {}, 3),
        (3, float, {}, 3.0),
        (0.5, float, SHARE, 0.5),
        (1, int, WITHIN, 1),
        (9, int, WITHIN, 9),
        (True, bool, {}, True),
        ("text", str, {}, "text"),
        ("adam", str, CHOICES, "adam"),
        ("plain", str, CHOICES, "sgd"),
        ([1, 9], list[int], WITHIN, [1, 9]),
        ([], list[int], WITHIN, []),
        ([1, 2.5], list[float], {}, [1.0, 2.5]),
        (3, int | list[int], WITHIN, 3),
        ([3, 4], int | list[int], WITHIN, [3, 4]),
        ("a", str | list[str], {}, "a"),
    ],
)
def test_values_that_are_allowed(value, kind, limits, expected):
    found = value_of("key", value, kind, limits)
    assert found == expected and type(found) is type(expected)
    if isinstance(expected, list):
        assert [type(item) for item in found] == [type(item) for item in expected]


@pytest.mark.parametrize(
    "value, kind, limits, message",
    [
        (0, int, WITHIN, "key = 0: must be an integer >= 1 and <= 9"),
        (10, int, WITHIN, "key = 10: must be an integer >= 1 and <= 9"),
        (1.0, int, {}, "key = 1.0: must be an integer"),
        (True, int, {}, "key = true: must be an integer"),
        ("3", int, {}, "key = '3': must be an integer"),
        ([3], int, {}, "key = [3]: must be an integer"),
        (0.0, float, SHARE, "key = 0.0: must be a number > 0 and < 1"),
        (1, float, SHARE, "key = 1: must be a number > 0 and < 1"),
        (float("nan"), float, {}, "key = nan: must be a number"),
        (float("inf"), float, {}, "key = inf: must be a number"),
        (1, bool, {}, "key = 1: must be true or false"),
        (3, str, {}, "key = 3: must be a string"),
        ("adma", str, CHOICES, "key = 'adma': must be one of adam, sgd (did you mean adam?)"),
        ("x", str, CHOICES, "key = 'x': must be one of adam, sgd"),
        (["x"], str, CHOICES, "key = ['x']: must be one of adam, sgd"),
        (3, list[int], WITHIN, "key = 3: must be a list of integers >= 1 and <= 9"),
        ([3, 0], list[int], WITHIN, "key = [3, 0]: must be a list of integers >= 1 and <= 9"),
        ([1.0, float("inf")], list[float], {}, "key = [1.0, inf]: must be a list of numbers"),
        (0, int | list[int], WITHIN, f"key = 0: must be {EITHER}"),
        ([0], int | list[int], WITHIN, f"key = [0]: must be {EITHER}"),
        (3, str | list[str], {}, "key = 3: must be a string, or a list of strings"),
    ],
)
def test_other_values_are_named_with_what_is_allowed(value, kind, limits, message):
    with pytest.raises(InputError) as error:
        value_of("key", value, kind, limits)
    assert str(error.value) == message


@dataclass(frozen=True)
class Wheel:
    spokes: int = setting(24, ge=3)


@dataclass(frozen=True)
class Bell:
    tone: str = setting(choices=("high", "low"))


@dataclass(frozen=True)
class Bicycle:
    gears: int = setting(ge=1)
    colour: str = setting("red")
    front: Wheel = Wheel()
    back: object = None
    extras: list = setting(list, kinds={"bell": Bell, "wheel": Wheel})


def bicycle(**table):
    return build(Bicycle, table, "bicycle", {"back": Wheel})


def test_tables_become_objects():
    extras = [{"kind": "bell", "tone": "low"}, {"kind": "wheel"}]
    made = bicycle(gears=7, front={"spokes": 32}, back={"spokes": 28}, extras=extras)
    assert made == Bicycle(7, "red", Wheel(32), Wheel(28), [Bell("low"), Wheel()])
    assert bicycle(gears=1).back == Wheel()


@pytest.mark.parametrize(
    "table, message",
    [
        ({}, "bicycle.gears is missing; add gears = ... under [bicycle]"),
        ({"gears": 0}, "bicycle.gears = 0: must be an integer >= 1"),
        ({"gears": 1, "color": "red"}, "unknown key bicycle.color (did you mean bicycle.colour?)"),
        ({"gears": 1, "front": 3}, "bicycle.front = 3: must be a table, [bicycle.front]"),
        ({"gears": 1, "front": {"spokes": 2}}, "bicycle.front.spokes = 2: must be an integer >= 3"),
        ({"gears": 1, "back": {"x": 2}}, "unknown key bicycle.back.x (known here: spokes)"),
        ({"gears": 1, "extras": 3}, "bicycle.extras = 3: must be a list of tables, [[bicycle.extras]]"),
        ({"gears": 1, "extras": [3]}, "bicycle.extras = [3]: must be a list of tables, [[bicycle.extras]]"),
        (
            {"gears": 1, "extras": [{}]},
            "bicycle.extras[0].kind is missing; add kind = ..., one of bell, wheel",
        ),
        (
            {"gears": 1, "extras": [{"kind": "wheel"}, {"kind": "bel"}]},
            "bicycle.extras[1].kind = 'bel': must be one of bell, wheel (did you mean bell?)",
        ),
        (
            {"gears": 1, "extras": [{"kind": "bell", "tone": "mid"}]},
            "bicycle.extras[0].tone = 'mid': must be one of high, low",
        ),
    ],
)
def test_tables_that_do_not_fit_are_named_by_their_key(table, message):
    with pytest.raises(InputError) as error:
        bicycle(**table)
    assert str(error.value) == message


def test_a_key_of_another_section_is_found_there():
    assert unknown("lane_size", "model", ["latent"]) == (
        "unknown key model.lane_size (did you mean train.lane_size?)"
    )
    assert unknown("trian", "", ["train", "data"]) == "unknown key trian (did you mean train?)"
    assert unknown("qqq", "model", []) == "unknown key model.qqq (known here: nothing)"


def test_values_are_shown_as_the_run_file_has_them():
    assert [shown(value) for value in (True, False, "a", 3, [1])] == ["true", "false", "'a'", "3", "[1]"]


def test_a_table_that_is_not_there_is_empty():
    assert subtable({}, "model") == {} and subtable({"model": {"a": 1}}, "model") == {"a": 1}
