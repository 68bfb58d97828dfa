"""From the numbers of a data file to those of a model, and back."""

import numpy as np
import pytest

from hpcgen.data.schema import Columns, Schema
from hpcgen.errors import InputError
from hpcgen.models.units import Interval, Standard, Tokens, require_inputs


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("interval", [(-1.0, 1.0), (0.0, 1.0)])
def test_scales_go_there_and_back(dtype, interval):
    units = Interval(Schema((4,), dtype, "array", 0.0, 255.0), *interval)
    samples = np.array([[0, 1, 128, 255]], dtype)
    x = units.encode(samples)
    assert x.dtype == np.float32 and (x[0, 0], x[0, -1]) == pytest.approx(interval)
    back = units.decode(x)
    assert back.dtype == dtype and back == pytest.approx(samples, abs=1e-4)


def test_an_interval_may_lie_anywhere():
    units = Interval(Schema((3,), "float32", "array", -3.0, 5.0), 0.0, 1.0)
    assert units.encode(np.array([[-3, 1, 5]], np.float32)).tolist() == [[0, 0.5, 1]]
    assert units.decode(np.array([[0, 0.25, 1]], np.float32)).tolist() == [[-3, -1, 5]]


def test_bytes_are_rounded_and_clipped():
    """A model's numbers may leave the interval; 256 would become 0."""
    units = Interval(Schema((4,), "uint8", "image", 0.0, 255.0), 0.0, 1.0)
    x = np.array([[-0.5, 0.4 / 255, 0.6 / 255, 1.5]], np.float32)
    assert units.decode(x).tolist() == [[0, 0, 1, 255]]


def test_every_byte_comes_back():
    units = Interval(Schema((256,), "uint8", "image", 0.0, 255.0), -1.0, 1.0)
    samples = np.arange(256, dtype=np.uint8)[None]
    assert np.array_equal(units.decode(units.encode(samples)), samples)


def test_text_has_no_interval():
    with pytest.raises(InputError, match='the samples are text, which needs model.kind = "rvae"'):
        Interval(Schema((3,), "uint8", "text", 0.0, 1.0, vocabulary="ab"), -1.0, 1.0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_tokens_stay_and_count_as_an_index(dtype):
    units, tokens = Tokens(Schema((3,), dtype, "text", 0.0, 2.0, vocabulary="abc")), np.array([[2, 0, 1]])
    x = units.encode(tokens.astype(dtype))
    assert x.dtype == np.intp and np.array_equal(x, tokens)
    assert units.decode(x).dtype == dtype and np.array_equal(units.decode(x), tokens)


@pytest.mark.parametrize("centered", [True, False])
def test_columns_have_the_mean_square_one(random, centered):
    rows = random.standard_normal((50, 2, 3)) * [1, 10, 0.1] + [0, 5, -2]
    columns = Columns(tuple(rows.reshape(50, 6).mean(0).tolist()), tuple(rows.reshape(50, 6).std(0).tolist()))
    units = Standard(columns, (2, 3), centered)
    x = units.encode(rows)
    assert x.shape == (50, 6) and x.dtype == np.float32
    assert (x.astype(np.float64) ** 2).mean(0) == pytest.approx(1, rel=1e-5)
    assert not centered or x.mean(0) == pytest.approx(0, abs=1e-6)
    back = units.decode(x)
    assert back.shape == rows.shape and back.dtype == np.float32 and back == pytest.approx(rows, abs=1e-5)


def test_a_line_through_the_origin_stays_one(random):
    """Columns that are not centred are only divided: zero stays zero."""
    units = Standard(Columns((3.0,), (4.0,)), (1,), centered=False)
    assert units.encode(np.array([[0.0], [5.0]])).tolist() == [[0], [1]]


@pytest.mark.parametrize("lost", ["inputs", "outputs"])
def test_inputs_and_outputs_are_needed(lost):
    columns = {"inputs": Columns((0.0,), (1.0,)), "outputs": Columns((2.0,), (3.0,))}
    schema = Schema((1,), "float32", "array", 0.0, 1.0, **columns)
    assert require_inputs(schema, "linear") == (columns["inputs"], columns["outputs"])
    without = Schema((1,), "float32", "array", 0.0, 1.0, **{**columns, lost: None})
    with pytest.raises(InputError, match='no /inputs, which model.kind = "linear" needs'):
        require_inputs(without, "linear")
