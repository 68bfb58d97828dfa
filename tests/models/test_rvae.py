"""The recurrent autoencoder: what it says of all sequences adds up, and what it draws is what it says."""

from itertools import product

import numpy as np
import pytest
from gradients import initialized

from hpcgen.data.schema import Schema
from hpcgen.models.batch import Batch
from hpcgen.models.rvae import CELLS, RVAE, SequenceRVAE, TextRVAE

EACH = pytest.mark.parametrize("cell", CELLS)
# All sequences of three tokens, of which there are three.
ALL = np.array(list(product(range(3), repeat=3)))


def words(random, cell="gru", **keys):
    """Return a model of three tokens out of three, and a theta that has likes and dislikes."""
    options = TextRVAE(latent=2, hidden=4, embedding=3, cell=cell, **keys)
    model = RVAE(options, Schema((3,), "uint8", "text", 0.0, 2.0, vocabulary="abc"))
    return model, lively(model, random)


def numbers(random, *features, cell="gru", **keys):
    """Return a model of sequences of four numbers, or of four times `features`, and its theta."""
    options = SequenceRVAE(latent=2, hidden=4, cell=cell, **keys)
    model = RVAE(options, Schema((4, *features), "float32", "array", -1.0, 1.0))
    return model, lively(model, random)


def lively(model, random):
    theta = initialized(model, random)
    theta["rvae"].data[...] = random.standard_normal(theta["rvae"].data.size)
    return theta


def chances(model, theta, z):
    """Return p(x | z) of all sequences of three tokens."""
    return np.exp(model.log_likelihood(theta, np.tile(z, (len(ALL), 1)), ALL))


@EACH
def test_the_likelihoods_of_all_texts_add_up_to_one(random, cell):
    model, theta = words(random, cell)
    found = chances(model, theta, random.standard_normal(2))
    assert found.sum() == pytest.approx(1, rel=1e-12) and found.max() > 2 * found.min()


@EACH
def test_texts_are_drawn_as_often_as_they_are_likely(random, cell):
    model, theta = words(random, cell)
    z, n = random.standard_normal(2), 20_000
    drawn = model.sample(theta, Batch(n, noise=np.tile(z, (n, 1)), random=lambda i: np.random.default_rng(i)))
    frequencies = np.bincount(drawn @ [9, 3, 1], minlength=len(ALL)) / n
    assert frequencies == pytest.approx(chances(model, theta, z), abs=0.015)


@EACH
def test_without_a_stream_each_token_is_the_likeliest_after_those_before_it(random, cell):
    model, theta = words(random, cell)
    z = random.standard_normal(2)
    (made,) = model.sample(theta, Batch(1, noise=z[None], random=None))
    found = chances(model, theta, z).reshape(3, 3, 3)
    for token in made:
        assert token == found.reshape(3, -1).sum(1).argmax()
        found = found[token]


def test_a_decoder_whose_words_are_all_dropped_sees_none(random):
    """The terms of each place depend on its token alone: -log p(x | z) is a sum over places."""
    model, theta = words(random, word_dropout=1.0)
    z = random.standard_normal((1, 2))

    def excess(random):
        """Return what two texts cost more than those with their first tokens exchanged."""
        texts = np.array([[[0, 1, 2]], [[2, 2, 0]], [[2, 1, 2]], [[0, 2, 0]]])
        losses = [model.decode(theta["rvae"], z, x, random)[0] for x in texts]
        return losses[0] + losses[1] - losses[2] - losses[3]

    assert abs(excess(lambda i: np.random.default_rng(i))) < 1e-12
    assert abs(excess(None)) > 1e-3


def test_words_are_dropped_in_training_alone(random):
    model, theta = words(random, word_dropout=0.5)
    z, x = random.standard_normal((27, 2)), ALL
    assert model.decode(theta["rvae"], z, x, None)[0] == -model.log_likelihood(theta, z, x).sum()
    dropped = model.decode(theta["rvae"], z, x, lambda i: np.random.default_rng(i))[0]
    assert dropped != pytest.approx(-model.log_likelihood(theta, z, x).sum(), rel=1e-3)


@EACH
@pytest.mark.parametrize("features", [(), (1,), (3,)], ids=str)
def test_the_likeliest_sequence_is_made_of_its_own_means(random, cell, features):
    """Fed with its own numbers, the decoder says the same again: no error is left in the likelihood."""
    model, theta = numbers(random, *features, cell=cell, sigma=0.2)
    z = random.standard_normal((5, 2))
    made = model.sample(theta, Batch(5, noise=z, random=None))
    assert made.shape == (5, 4, *features)
    count = made[0].size
    most = -count * (np.log(0.2) + 0.5 * np.log(2 * np.pi))
    assert model.log_likelihood(theta, z, made) == pytest.approx(most, rel=1e-9)
    other = made + 0.2 * (np.arange(4) == 3).reshape(4, *[1] * len(features))
    assert model.log_likelihood(theta, z, other) == pytest.approx(most - 0.5 * count / 4, rel=1e-9)


def test_one_feature_is_none(random):
    """Sequences of shape (time,) and (time, 1) are the same to a model."""
    (flat, theta), (column, _) = numbers(random), numbers(random, 1)
    x, z = random.standard_normal((6, 4)), random.standard_normal((6, 2))
    assert np.array_equal(
        flat.log_likelihood(theta, z, x), column.log_likelihood(theta, z, x.reshape(6, 4, 1))
    )
    for ours, theirs in zip(flat.codes(theta, x), column.codes(theta, x.reshape(6, 4, 1))):
        assert np.array_equal(ours, theirs)


@EACH
def test_a_code_depends_on_the_whole_sequence(random, cell):
    model, theta = words(random, cell)
    codes = np.hstack(model.codes(theta, ALL))
    assert codes.shape == (27, 4) and len(np.unique(codes.round(9), axis=0)) == 27
