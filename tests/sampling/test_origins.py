"""Origins of samples: interpolated codes, labels in turn, inputs, and blocks that any rank may generate."""

import numpy as np
import pytest

from hpcgen.data.rows import Rows
from hpcgen.errors import InputError
from hpcgen.models.batch import Batch
from hpcgen.sampling import origins
from hpcgen.sampling.codes import Interpolation
from hpcgen.sampling.generation import generate
from hpcgen.sampling.origins import SAMPLES_A_BLOCK, Conditioned, Matching, Prior, padded


class Model:
    """A model whose samples are its noise, and the label where it has classes."""

    sample_shape, team = (3,), None

    def __init__(self, classes=0):
        self.classes = classes

    def noise(self, random, size):
        return random.standard_normal((size, 3), dtype=np.float32)

    def batch(self, size, **columns):
        return Batch(size, **columns)

    def generate(self, theta, batch):
        assert isinstance(batch, Batch) and batch.size == SAMPLES_A_BLOCK
        return batch.noise if batch.labels is None else batch.noise + 100 * batch.labels[:, None]


class Schema:
    shape, dtype = (3,), "float32"


def draw(origin, start, stop, model=None):
    return generate(model or Model(), {}, Schema, origin, start, stop)


@pytest.mark.parametrize("start, stop", [(0, 1), (3, 70), (64, 64), (60, 200)])
def test_a_sample_is_the_same_whoever_makes_it(start, stop):
    whole = draw(Prior(Model(), 5), 0, 200)
    assert np.array_equal(draw(Prior(Model(), 5), start, stop), whole[start:stop])
    assert not np.array_equal(draw(Prior(Model(), 6), 0, 200), whole)


def test_labels_come_in_turn_or_are_given():
    model = Model(classes=4)
    labels = np.rint(draw(Prior(model, 0), 0, 90, model)[:, 0] / 100)
    assert np.array_equal(labels, np.arange(90) % 4)
    assert (np.rint(draw(Prior(model, 0, 2), 0, 90, model)[:, 0] / 100) == 2).all()
    given = np.array([3, 1, 1])
    matching = Matching(model, 0, lambda start, stop: given[start:stop])
    assert np.array_equal(np.rint(draw(matching, 0, 3, model)[:, 0] / 100), given)


class Ends:
    """Codes on a circle."""

    size = SAMPLES_A_BLOCK
    rows = None

    def codes(self, block):
        rows = np.arange(block * SAMPLES_A_BLOCK, (block + 1) * SAMPLES_A_BLOCK)
        return np.stack([np.cos(rows), np.sin(rows), np.zeros(len(rows))], axis=1).astype(np.float32)


def test_a_path_goes_from_code_to_code_on_the_circle():
    between = Interpolation(Ends(), 5)
    codes = np.concatenate([between.codes(block) for block in range(3)])
    ends = Ends().codes(0)
    for i in range(30):
        path = codes[5 * i : 5 * i + 5]
        assert np.allclose(path[0], ends[i], atol=1e-6) and np.allclose(path[-1], ends[i + 1], atol=1e-6)
    assert np.allclose(np.linalg.norm(codes, axis=1), 1, atol=1e-6)


class Counting:
    """A source of three inputs a row, which counts how often it is read."""

    name, rows, shape = "inputs", 300, (3,)

    def __init__(self):
        self.reads = []

    def read(self, start, stop):
        self.reads.append((start, stop))
        return Rows(np.arange(3 * start, 3 * stop, dtype=np.float32).reshape(-1, 3))


def test_blocks_have_streams_of_their_own(loaded):
    model, _, _ = loaded("vae")
    prior, again = Prior(model, 3), Prior(model, 3)
    blocks = [prior.batch(block) for block in (2, 0, 1)]
    assert prior.rows is None and prior.group == 1 and prior.columns() == {}
    assert all(batch.size == SAMPLES_A_BLOCK and batch.labels is None for batch in blocks)
    assert np.array_equal(blocks[0].noise, again.batch(2).noise)
    assert np.array_equal(blocks[1].random(0).random(4), again.batch(0).random(0).random(4))
    different = [blocks[1].noise, blocks[2].noise, Prior(model, 4).batch(0).noise]
    assert len({each.tobytes() for each in different}) == 3
    assert blocks[1].random(0).random() != blocks[1].random(1).random()


def test_labels_are_all_in_turn_or_one(loaded):
    model, _, _ = loaded("conditional")
    turns, seven = Prior(model, 0), Prior(model, 0, 7)
    assert np.array_equal(turns.batch(1).labels, np.arange(64, 128) % 10)
    assert np.all(seven.batch(1).labels == 7)
    assert np.array_equal(turns.columns()["labels"](5, 25), np.arange(5, 25) % 10)
    assert np.array_equal(seven.columns()["labels"](5, 9), [7] * 4)


def test_labels_that_match_a_files(loaded):
    model, _, _ = loaded("conditional")
    given = np.arange(100) % 3
    matching = Matching(model, 0, lambda start, stop: given[start:stop])
    assert np.array_equal(matching.batch(0).labels, given[:64])
    last = matching.batch(1).labels
    assert np.array_equal(last[:36], given[64:]) and not last[36:].any() and len(last) == 64
    assert np.array_equal(matching.batch(1).noise, Prior(model, 0).batch(1).noise)


def test_inputs_are_read_several_blocks_at_a_time(loaded, monkeypatch):
    monkeypatch.setattr(origins, "BLOCKS_A_READ", 2)
    model, _, _ = loaded("linear")
    source = Counting()
    origin = Conditioned(model, 0, source)
    inputs = source.read(0, 300).samples
    source.reads.clear()
    for block in range(5):
        rows = inputs[block * 64 : (block + 1) * 64]
        found = origin.batch(block)
        assert np.array_equal(found.inputs[: len(rows)], model.input_units.encode(rows))
        assert found.size == len(found.inputs) == 64
    assert source.reads == [(0, 128), (128, 256), (256, 300)] and origin.rows == 300
    assert np.array_equal(origin.columns()["inputs"](7, 9), inputs[7:9])


def test_inputs_must_be_finite(loaded, monkeypatch):
    source = Counting()
    monkeypatch.setattr(source, "read", lambda start, stop: Rows(np.full((stop - start, 3), np.nan)))
    with pytest.raises(InputError, match="row 0 of the inputs holds NaN"):
        Conditioned(loaded("linear")[0], 0, source).batch(0)


def test_samples_without_originals_stay_as_they_are(loaded, random):
    samples = random.random((3, 8, 8, 1))
    assert Prior(loaded("vae")[0], 0).with_originals(samples) is samples


@pytest.mark.parametrize("rows", [0, 1, 64])
def test_blocks_are_filled_with_zeros(random, rows):
    given = random.random((rows, 2), dtype=np.float32)
    found = padded(given, SAMPLES_A_BLOCK)
    assert found.shape == (64, 2) and found.dtype == np.float32
    assert np.array_equal(found[:rows], given) and not found[rows:].any()


@pytest.mark.parametrize(
    "shape, size", [((3,), 64), ((64, 64, 64), 64), ((128, 128, 128), 8), ((512,) * 3, 1)]
)
def test_a_block_of_large_samples_has_few(shape, size):
    assert origins.samples_a_block(shape) == size
