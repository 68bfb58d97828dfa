"""What samples start from: codes between codes, labels in turn, and blocks that anybody may make."""

import numpy as np
import pytest

from hpcgen.models.batch import Batch
from hpcgen.sampling.codes import Interpolation
from hpcgen.sampling.generation import generate
from hpcgen.sampling.origins import SAMPLES_A_BLOCK, Matching, Prior


class Model:
    """A model whose samples are its noise, and the label where it has classes."""

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
