"""hpcgen evaluate CHECKPOINT DATA.h5: every option reaches the function that measures."""

from dataclasses import fields
from pathlib import Path

import pytest

from hpcgen.evaluation.evaluate import EvaluateOptions

OPTIONS = {
    "count": (["--count", "5"], 5),
    "seed": (["--seed", "7"], 7),
    "features": (["--features", "c.h5"], Path("c.h5")),
    "json": (["--json", "x.json"], Path("x.json")),
    "space": (["--space", "2"], 2),
}


@pytest.fixture
def measured(calls):
    return calls("hpcgen.evaluation.evaluate.evaluate", {})


def test_every_option_can_be_typed():
    assert set(OPTIONS) == {field.name for field in fields(EvaluateOptions)}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_reaches_its_field_and_no_other(comm, typed, measured, name):
    words, value = OPTIONS[name]
    assert typed("evaluate", "run", "a.h5", *words) == 0
    assert measured == [(Path("run"), [Path("a.h5")], comm, EvaluateOptions(**{name: value}))]


def test_several_data_files_are_used_as_one(comm, typed, measured):
    typed("evaluate", "run", "a.h5", "b.h5")
    assert measured == [(Path("run"), [Path("a.h5"), Path("b.h5")], comm, EvaluateOptions())]


@pytest.mark.parametrize(
    "words", [[], ["a.h5", "--count", "0"], ["a.h5", "--seed", "-1"], ["a.h5", "--space", "-1"]]
)
def test_what_cannot_be_measured_is_refused(comm, typed, measured, words):
    with pytest.raises(SystemExit) as ended:
        typed("evaluate", "run", *words)
    assert ended.value.code == 2 and measured == []
