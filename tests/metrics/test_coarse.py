import numpy as np
import pytest

from hpcgen.metrics.coarse import box_of, means


@pytest.mark.parametrize(
    "sizes, most, box",
    [
        ((8, 8), 64, (1, 1)),
        ((8, 8), 63, (2, 1)),
        ((8, 8), 16, (2, 2)),
        ((8, 8, 8), 100, (2, 2, 2)),
        ((5,), 3, (2,)),
        ((5,), 2, (4,)),
        ((3, 100), 30, (1, 16)),
        ((256, 256, 256), 1 << 18, (4, 4, 4)),
        ((4, 4), 1, (4, 4)),
    ],
)
def test_boxes_are_few_enough(sizes, most, box):
    assert box_of(sizes, most) == box
    assert np.prod([-(-size // length) for size, length in zip(sizes, box)]) <= most


def test_means_are_those_of_each_box(random):
    x = random.standard_normal((3, 5, 8, 2))
    found = means(x, (2, 4))
    assert found.shape == (3, 3, 2, 2)
    for i in range(3):
        for j in range(2):
            box = x[:, 2 * i : 2 * i + 2, 4 * j : 4 * j + 4]
            assert np.allclose(found[:, i, j], box.mean((1, 2)), rtol=1e-12)


def test_boxes_of_one_number_change_nothing(random):
    x = random.standard_normal((3, 5, 2))
    assert means(x, (1,)) is x and means(x, ()) is x


def test_means_of_a_sample_do_not_depend_on_the_others(random):
    x = random.standard_normal((6, 9, 7, 1))
    whole = means(x, (4, 2))
    assert all(means(x[i : i + 1], (4, 2)).tobytes() == whole[i : i + 1].tobytes() for i in range(6))
