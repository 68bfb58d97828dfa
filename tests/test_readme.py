"""What README says of keys and defaults is what the code has."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from hpcgen.config.reading import parse_config
from hpcgen.models.networks.specs import LAYERS
from hpcgen.nn.optimizers import OPTIMIZERS, Optimizer

README = (Path(__file__).parents[1] / "README.md").read_text()
SHARED = {field.name for field in fields(Optimizer)} - {"learning_rate"}


def row(*names):
    """Return the second cell of the table row whose first cell holds the names."""
    (cell,) = re.findall(rf"^\| [^|]*`{names[0]}`[^|]* \| (`[a-z_]+[^|]*|none) \|$", README, re.M)
    return cell


def keys(kind):
    return {field.name: field.default for field in fields(kind)}


def written(cell):
    """Return {key: default as Python} of `key = default` and of `key` alone."""
    found = dict(re.findall(r"`(\w+) = ([\w.\-]+)`", cell))
    return {
        key: eval(value.capitalize()) if value in ("true", "false") else float(value)
        for key, value in found.items()
    }


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    assert written(row(name)) == {
        key: value for key, value in keys(OPTIMIZERS[name]).items() if key not in SHARED
    }


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if kind != "conv-transpose"])
def test_layers(kind):
    cell, expected = row(kind), keys(LAYERS[kind])
    assert written(cell) == {key: value for key, value in expected.items() if value is not MISSING}
    assert [key for key, value in expected.items() if value is MISSING and f"`{key}`" not in cell] == []


def test_the_run_file():
    """The run file shown is one, and has the defaults."""
    text = re.search(r"\n((?:    .*\n|\n)*    \[train\]\n(?:    .*\n|\n)*)", README).group(1)
    shown = parse_config(re.sub(r"(?m)^    ", "", text))
    assert shown == parse_config(f'data.path = "{shown.data.path}"')
