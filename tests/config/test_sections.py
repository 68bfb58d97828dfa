"""The run file as objects: the text of each reads back as itself."""

from dataclasses import fields
from typing import get_type_hints

import msgspec
import pytest

from hpcgen.config.reading import parse_config
from hpcgen.config.sections import EXCHANGES, SECTIONS
from hpcgen.config.values import value_of
from hpcgen.models import MODELS
from hpcgen.nn.optimizers import OPTIMIZERS

MINIMAL = 'data.path = "d.h5"\n'
LAYERS = "layers = [{ kind = 'dense', outputs = 8 }, { kind = 'conv', channels = 3, kernel = [3, 5] }]"
NETWORKS = [(kind, network) for kind, model in MODELS.items() for network in model.NETWORKS]


def test_the_exchanges_are_those_that_there_are():
    from hpcgen.parallel import exchange

    assert tuple(exchange.EXCHANGES) == EXCHANGES


@pytest.mark.parametrize("kind, network", NETWORKS)
def test_every_network_reads_back_as_itself(kind, network):
    text = f"{MINIMAL}[model]\nkind = '{kind}'\nnetwork = '{network}'\n"
    if network == "layers":
        tables = MODELS[kind].NETWORKS[network].tables
        text += "".join(f"{table}.{LAYERS}\n" for table in tables)
    config = parse_config(text)
    assert parse_config(config.toml()) == config
    table = msgspec.toml.decode(config.toml())
    assert (table["model"]["kind"], table["model"]["network"]) == (kind, network)
    assert set(table["optimizer"]) == set(MODELS[kind].players)
    assert set(table) == {"seed", "model", "optimizer", *SECTIONS}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_reads_back_as_itself(name):
    text = f"[optimizer]\nname = '{name}'\nlearning_rate = 0.3\n[optimizer.generator]\nclip_norm = 2.0\n"
    config = parse_config(text + MINIMAL.replace("data.path", "[data]\npath"))
    assert parse_config(config.toml()) == config
    assert config.table()["optimizer"]["generator"] == {
        **config.table()["optimizer"]["discriminator"],
        "clip_norm": 2.0,
    }
    assert config.table()["optimizer"]["generator"]["name"] == name


def test_everything_but_the_players_optimizers_stands_where_it_is_read():
    settings = [
        "seed=3",
        "data.path=['a.h5', 'b.h5']",
        "train.steps=7",
        "checkpoint.keep=0",
        "samples.count=4",
        "metrics.every=2",
        "evaluate.every=5",
        "parallel.weights=[1, 2.5]",
    ]
    config = parse_config(MINIMAL, settings)
    assert parse_config(config.toml()) == config
    table = config.table()
    assert table["seed"] == 3 and table["train"]["steps"] == 7 and table["parallel"]["weights"] == [1, 2.5]


def test_layers_name_their_kind():
    text = f"{MINIMAL}model.network = 'layers'\nmodel.generator.{LAYERS}\nmodel.discriminator.{LAYERS}\n"
    layers = parse_config(text).table()["model"]["generator"]["layers"]
    assert [layer["kind"] for layer in layers] == ["dense", "conv"]
    assert layers[1]["kernel"] == [3, 5] and layers[1]["stride"] == 2


@pytest.mark.parametrize("name", SECTIONS)
def test_defaults_lie_within_their_limits(name):
    made = SECTIONS[name](**({"path": "d.h5"} if name == "data" else {}))
    types = get_type_hints(SECTIONS[name])
    for field in fields(made):
        value = getattr(made, field.name)
        assert value_of(field.name, value, types[field.name], field.metadata) == value
