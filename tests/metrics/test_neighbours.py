import numpy as np
import pytest

from hpcgen.metrics.blocks import ROWS_A_BLOCK, blocks
from hpcgen.metrics.neighbours import covered, share, squared_radii


def radii_of(x, k=3):
    return np.concatenate([squared_radii(x[block], x, block.start, k) for block in blocks(len(x))])


def covered_share(x, whole, k=3):
    """The share of x in the manifold of `whole`: precision of a generated x, recall of real x."""
    radii = radii_of(whole, k)
    return share([covered(x[block], whole, radii) for block in blocks(len(x))])


@pytest.mark.parametrize("k", [1, 3])
def test_against_loops(k, random):
    x, y = random.standard_normal((ROWS_A_BLOCK + 20, 3)), random.standard_normal((50, 3)) + 0.7
    radii = [sorted(np.linalg.norm(a - b) for j, b in enumerate(x) if j != i)[k - 1] for i, a in enumerate(x)]
    assert np.sqrt(radii_of(x, k)) == pytest.approx(radii, rel=1e-12)
    inside = [any(np.linalg.norm(a - b) <= radius for b, radius in zip(x, radii)) for a in y]
    assert 0 < sum(inside) < 50
    assert np.array_equal(covered(y, x, radii_of(x, k)), inside)


def test_a_set_lies_in_its_own_manifold(random):
    x = random.standard_normal((600, 7)) + 100
    assert covered_share(x, x) == covered_share(x[::-1].copy(), x) == 1


def test_sets_far_apart_share_nothing(random):
    x, y = random.standard_normal((300, 7)), random.standard_normal((400, 7)) + 100
    assert covered_share(x, y) == covered_share(y, x) == 0


def test_equal_samples_have_spheres_of_no_size_in_which_their_equals_lie(random):
    point = random.standard_normal(50)
    x = np.tile(point, (300, 1))
    assert radii_of(x) == pytest.approx(np.zeros(300), abs=1e-11)
    assert covered_share(x[:7], x) == 1
    assert covered_share(x[:7] + 1e-5, x) == 0


def test_spheres_are_closed():
    """Four points a unit apart on a line: the third nearest others are 3, 2, 2 and 3 away."""
    x = np.arange(4.0)[:, None]
    assert radii_of(x) == pytest.approx([9, 4, 4, 9])
    assert covered(np.array([[-3.0], [-3.001], [6], [6.001]]), x, radii_of(x)).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_as_many_samples_as_neighbours_are_refused():
    with pytest.raises(ValueError, match="more than 3 samples, not 3"):
        radii_of(np.arange(3.0)[:, None])
