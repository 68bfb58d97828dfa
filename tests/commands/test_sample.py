"""hpcgen sample CHECKPOINT: every option reaches the function that draws."""

from dataclasses import fields
from pathlib import Path

import pytest

from hpcgen.sampling.options import SampleOptions

OPTIONS = {
    "count": (["--count", "5"], 5),
    "seed": (["--seed", "7"], 7),
    "out": (["--out", "x.h5"], Path("x.h5")),
    "png": (["--png", "x.png"], Path("x.png")),
    "label": (["--label", "0"], 0),
    "inputs": (["--inputs", "x.npy"], Path("x.npy")),
    "reconstruct": (["--reconstruct", "d.h5"], Path("d.h5")),
    "interpolate": (["--interpolate", "3"], 3),
    "space": (["--space", "2"], 2),
}


@pytest.fixture
def drawn(calls):
    return calls("hpcgen.sampling.sample.sample")


def test_every_option_can_be_typed():
    assert set(OPTIONS) == {field.name for field in fields(SampleOptions)}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_reaches_its_field_and_no_other(comm, typed, drawn, name):
    words, value = OPTIONS[name]
    assert typed("sample", "run", *words) == 0
    assert drawn == [(Path("run"), comm, SampleOptions(**{name: value}))]


def test_a_path_has_eight_samples_unless_it_is_said(comm, typed, drawn):
    typed("sample", "run", "--interpolate")
    typed("sample", "run")
    assert [asked.interpolate for _, _, asked in drawn] == [8, None] and drawn[1][2] == SampleOptions()


@pytest.mark.parametrize(
    "words",
    [["--count", "0"], ["--label", "-1"], ["--interpolate", "1"], ["--seed", "x"], ["--seed", str(2**63)]],
)
def test_numbers_out_of_bounds_are_refused(comm, typed, drawn, words):
    with pytest.raises(SystemExit) as ended:
        typed("sample", "run", *words)
    assert ended.value.code == 2 and drawn == []
