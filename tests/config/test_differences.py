"""What must not change between two parts of a run, by its key."""

import pytest

from hpcgen.config.differences import differences
from hpcgen.config.reading import parse_config

MINIMAL = '[data]\npath = "d.h5"\n'


def config(*settings, text=""):
    return parse_config(MINIMAL + text, settings)


@pytest.mark.parametrize(
    "setting",
    [
        "data.path=y.h5",
        "data.path=['x.h5', 'y.h5']",
        "train.steps=9",
        "train.recompute=true",
        "checkpoint.every=9",
        "checkpoint.keep=9",
        "samples.count=9",
        "metrics.every=9",
        "evaluate.every=9",
        "evaluate.features=x.h5",
        "parallel.exchange=allreduce",
        "parallel.weights=[1, 2]",
    ],
)
def test_what_does_not_change_the_mathematics_may_change(setting):
    assert config() != config(setting) and differences(config(setting), config()) == []


@pytest.mark.parametrize(
    "setting, difference",
    [
        ("seed=1", "seed: 1, not 0"),
        ("data.block=9", "data.block: 9, not 64"),
        ("train.lanes=9", "train.lanes: 9, not 8"),
        ("train.lane_size=9", "train.lane_size: 9, not 16"),
        ("model.latent=9", "model.latent: 9, not 100"),
        ("model.generator.hidden=[9]", "model.generator.hidden: [9], not [256, 512]"),
        ("model.loss=hinge", "model.loss: hinge, not non-saturating"),
    ],
)
def test_what_changes_the_mathematics_is_named_by_its_key(setting, difference):
    assert differences(config(setting), config()) == [difference]


def test_players_differ_each_by_itself():
    other = config("model.latent=9", "optimizer.generator.learning_rate=0.1")
    assert differences(other, config()) == [
        "model.latent: 9, not 100",
        "optimizer.generator.learning_rate: 0.1, not 0.0002",
    ]


def test_keys_that_one_of_the_two_lacks():
    changed = differences(config("optimizer.discriminator.name=sgd"), config())
    assert "optimizer.discriminator.name: sgd, not adam" in changed
    assert "optimizer.discriminator.beta1: absent, not 0.5" in changed
    back = differences(config(), config("optimizer.discriminator.name=sgd"))
    assert "optimizer.discriminator.beta1: 0.5, not absent" in back


LAYERS = """
    [model]
    network = "layers"
    generator.layers = [{ kind = "dense", outputs = 8 }, { kind = "tanh" }]
    discriminator.layers = [{ kind = "dense", outputs = 1 }]
    """


def test_layers_differ_by_their_number():
    other = LAYERS.replace("outputs = 8", "outputs = 9").replace("tanh", "sigmoid")
    assert differences(config(text=other), config(text=LAYERS)) == [
        "model.generator.layers[0].outputs: 9, not 8",
        "model.generator.layers[1].kind: sigmoid, not tanh",
    ]
    longer = LAYERS.replace('{ kind = "tanh" }', '{ kind = "tanh" }, { kind = "dropout", rate = 0.25 }')
    assert differences(config(text=longer), config(text=LAYERS)) == [
        "model.generator.layers[2].kind: dropout, not absent",
        "model.generator.layers[2].rate: 0.25, not absent",
    ]
