import numpy as np
import pytest

from hpcgen.metrics import frechet, kernel, neighbours, pca, sliced, spectrum
from hpcgen.metrics.blocks import ROWS_A_BLOCK, blocks, finite
from hpcgen.metrics.moments import Moments, merge


def in_turn(function, *sets):
    return [function(*(x[block] for x in sets), block.start) for block in blocks(len(sets[0]))]


def moments(each, x):
    return merge(each(lambda block, start: Moments.of(block), x))


def frechet_distance(each, x, y):
    return frechet.distance(moments(each, x), moments(each, y))


def projected(each, x, y):
    components = pca.from_moments(moments(each, x), 3)
    return np.concatenate(each(lambda block, start: components.project(block), y))


def kernel_distance(each, x, y):
    rows = kernel.pairs(len(x), len(y))[-1][0].stop
    return kernel.distance(each(lambda a, b, start: kernel.squared_mmd(a, b), x[:rows], y[:rows]))


def precision(each, x, y):
    radii = np.concatenate(each(lambda block, start: neighbours.squared_radii(block, x, start), x))
    return np.append(
        radii, neighbours.share(each(lambda block, start: neighbours.covered(block, x, radii), y))
    )


def sliced_distance(each, x, y):
    axes = sliced.directions(np.random.default_rng(5), 11, x.shape[1])
    return sliced.distance(
        *(np.concatenate(each(lambda block, start: sliced.project(block, axes), z)) for z in (x, y))
    )


def power_spectrum(each, x, y):
    return spectrum.mean(
        each(lambda block, start: spectrum.radial_power(block.reshape(-1, 3, 2, 2)), x), len(x)
    )


METRICS = [frechet_distance, projected, kernel_distance, precision, sliced_distance, power_spectrum]


@pytest.mark.parametrize("n", [0, 1, ROWS_A_BLOCK - 1, ROWS_A_BLOCK, ROWS_A_BLOCK + 1, 3 * ROWS_A_BLOCK])
def test_blocks_are_all_rows_once(n):
    rows = [row for block in blocks(n) for row in range(n)[block]]
    assert rows == list(range(n))


def test_blocks_of_fewer_rows():
    assert blocks(7, 3) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert blocks(2, 1) == [slice(0, 1), slice(1, 2)]


@pytest.mark.parametrize("metric", METRICS)
def test_bits_do_not_depend_on_who_computes_a_block(metric, divided, random):
    x = random.standard_normal((5 * ROWS_A_BLOCK + 77, 12))
    y = random.standard_normal((3 * ROWS_A_BLOCK + 5, 12)) + 0.1
    expected = metric(in_turn, x, y)
    for ranks in (1, 2, 3, 4, 9):
        assert np.array_equal(metric(divided(ranks), x, y), expected)


@pytest.mark.parametrize("metric", METRICS)
def test_bits_do_not_depend_on_type_and_layout(metric, random):
    x, y = random.standard_normal((2, 2 * ROWS_A_BLOCK + 9, 12), np.float32)
    expected = metric(in_turn, x.astype(np.float64), y.astype(np.float64))
    for form in (np.asarray, np.asfortranarray, lambda z: np.repeat(z, 2, axis=1)[:, ::2]):
        assert np.array_equal(metric(in_turn, form(x), form(y)), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinity"):
        finite(np.array([[0.0, bad]]))
