import numpy as np
import pytest

from hpcgen.data.sources import linear
from hpcgen.data.sources.linear import LinearModel


@pytest.fixture(autouse=True)
def many_blocks(monkeypatch):
    monkeypatch.setattr(linear, "DRAWN_NUMBERS", 7 * 64)


def test_the_same_rows_at_any_number_of_ranks(prepared):
    datasets, attributes = prepared(lambda: LinearModel(500, 4, 3, 0.5, seed=9), seed=9)
    assert {name: array.shape for name, array in datasets.items()} == {
        "inputs": (500, 4),
        "samples": (500, 3),
        "theta": (4, 3),
    }
    assert {array.dtype for array in datasets.values()} == {np.dtype(np.float32)}
    assert (attributes["kind"], attributes["noise"]) == ("array", 0.5)


def test_without_noise_samples_are_the_product_of_what_the_file_holds(prepared):
    datasets, _ = prepared(lambda: LinearModel(300, 4, 2, 0.0, seed=1))
    product = datasets["inputs"].astype(np.float64) @ datasets["theta"].astype(np.float64)
    assert datasets["samples"] == pytest.approx(product, rel=1e-6, abs=1e-7)


def test_noise_has_the_deviation_asked_for(in_pieces):
    source = LinearModel(20_000, 3, 2, 0.25, seed=2)
    samples, inputs, _ = in_pieces(source)
    residual = samples - inputs @ source.constants["theta"]
    assert residual.std() == pytest.approx(0.25, rel=0.02) and abs(residual.mean()) < 0.01
    assert (
        inputs.std() == pytest.approx(1, rel=0.02)
        and abs(np.corrcoef(inputs[:-64, 0], inputs[64:, 0])[0, 1]) < 0.03
    )


def test_rows_follow_from_the_seed_not_from_who_asks_or_how_many(in_pieces):
    whole = in_pieces(LinearModel(200, 4, 3, 0.5, seed=3))
    piece = LinearModel(150, 4, 3, 0.5, seed=3).read(60, 133)
    assert all(np.array_equal(a[60:133], b) for a, b in zip(whole[:2], piece[:2]))
    assert not np.array_equal(whole.inputs, in_pieces(LinearModel(200, 4, 3, 0.5, seed=4)).inputs)
