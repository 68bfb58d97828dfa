"""If a model and the data do not suit each other, one line says what is missing."""

import pytest

from hpcgen.config.reading import parse_config
from hpcgen.data.schema import Columns, Schema
from hpcgen.errors import InputError
from hpcgen.models import MODELS

IMAGES = Schema((8, 8, 1), "uint8", "image", 0.0, 255.0)
LARGE = Schema((16, 16, 1), "uint8", "image", 0.0, 255.0)
LABELLED = Schema((8, 8, 1), "uint8", "image", 0.0, 255.0, classes=10)
TEXT = Schema((12,), "uint8", "text", 0.0, 3.0, vocabulary="abcd")
COLUMNS = Schema(
    (1,), "float32", "array", 0.0, 1.0, inputs=Columns((0.0,), (1.0,)), outputs=Columns((0.0,), (1.0,))
)


@pytest.mark.parametrize(
    "text, schema, message",
    [
        ("kind = 'gan'", TEXT, 'the samples are text, which needs model.kind = "rvae"'),
        ("kind = 'vae'", TEXT, 'the samples are text, which needs model.kind = "rvae"'),
        ("kind = 'classifier'", TEXT, "no labels of two classes"),
        ("kind = 'classifier'", IMAGES, "no labels of two classes"),
        (
            "kind = 'gan'\nconditional = true",
            IMAGES,
            "no labels of two classes or more, which model.conditional",
        ),
        ("kind = 'rvae'", IMAGES, 'model.network = "text" needs text'),
        ("kind = 'rvae'\nnetwork = 'sequence'", IMAGES, "samples of 8 x 8 x 1 are not sequences"),
        ("kind = 'rvae'\nnetwork = 'sequence'", TEXT, "the samples are text"),
        ("kind = 'linear'", LABELLED, "the data have no /inputs"),
        ("kind = 'regressor'", TEXT, "the data have no /inputs"),
        ("kind = 'gan'\nloss = 'wasserstein'", IMAGES, "needs a bound on the discriminator"),
        ("kind = 'gan'\nloss = 'hinge'\nlabel_smoothing = 0.1", IMAGES, "has no targets to smooth"),
        (
            "kind = 'gan'\nnetwork = 'dcgan64'\ngradient_penalty = 1.0",
            LARGE,
            "BatchNorm does not support second derivatives, which a gradient penalty needs; use a layer norm",
        ),
    ],
)
def test_refused(text, schema, message):
    options = parse_config(f'data.path = "x"\n[model]\n{text}').model
    with pytest.raises(InputError, match=message):
        MODELS[options.kind](options, schema)


@pytest.mark.parametrize(
    "text, schema",
    [
        ("kind = 'gan'\nconditional = true", LABELLED),
        ("kind = 'gan'\nloss = 'wasserstein'\nspectral_norm = true", IMAGES),
        (
            "kind = 'gan'\nnetwork = 'dcgan64'\ngradient_penalty = 1.0\ndiscriminator.normalization = false",
            IMAGES,
        ),
        ("kind = 'rvae'", TEXT),
        ("kind = 'linear'", COLUMNS),
        ("kind = 'vae'", COLUMNS),
    ],
)
def test_taken(text, schema):
    options = parse_config(f'data.path = "x"\n[model]\n{text}').model
    model = MODELS[options.kind](options, schema)
    assert set(model.layouts) == set(model.players) == {player for player, _ in model.turns}


def test_turns():
    options = parse_config('data.path = "x"\nmodel.discriminator_steps = 3').model
    assert MODELS["gan"](options, IMAGES).turns == (
        ("discriminator", 0),
        ("discriminator", 1),
        ("discriminator", 2),
        ("generator", 2),
    )
