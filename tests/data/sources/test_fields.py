import numpy as np
import pytest

from hpcgen.commands import parser
from hpcgen.data.sources.fields import Fields
from hpcgen.errors import InputError
from hpcgen.metrics import spectrum
from hpcgen.metrics.power_law import wave_power

ROWS = 64


@pytest.mark.parametrize(
    "axes, size, slope", [(1, 64, -1.7), (1, 9, 1.0), (2, 32, -3.0), (3, 16, -5 / 3), (3, 7, -5)]
)
def test_spectra_are_those_of_the_closed_form(in_pieces, axes, size, slope):
    """A wave of power p adds 2 p^2 to the variance of its bin, since it is as strong as the opposite wave."""
    source, sizes = Fields(ROWS, size, slope, seed=5, axes=axes), (size,) * axes
    samples = in_pieces(source).samples
    measured, expected = spectrum.radial_power(samples) / ROWS, source.constants["spectrum"]
    deviation = np.sqrt(2 * spectrum.binned(wave_power(sizes, slope) ** 2) / ROWS)
    z = (measured[1:] - expected[1:]) / deviation[1:]
    assert np.abs(z).max() < 4 and np.mean(z**2) == pytest.approx(1, abs=4 * np.sqrt(2 / len(z)))
    assert measured[0] < 1e-10


def test_fields_are_gaussian_with_unit_variance(in_pieces):
    samples = in_pieces(Fields(ROWS, 16, -1.0, seed=6)).samples.astype(np.float64)
    assert (samples**2).mean() == pytest.approx(1, rel=0.05)
    assert abs((samples**3).mean()) < 0.1 and (samples**4).mean() == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_same_rows_at_any_number_of_ranks(prepared, axes):
    datasets, attributes = prepared(lambda: Fields(7, 6, -1.7, seed=9, axes=axes), seed=9)
    assert {name: array.shape for name, array in datasets.items()} == {
        "samples": (7, *(6,) * axes, 1),
        "spectrum": (4,),
    }
    assert datasets["samples"].dtype == np.float32 and datasets["spectrum"].dtype == np.float64
    assert (attributes["kind"], attributes["slope"]) == ("array", -1.7)
    assert (attributes["low"], attributes["high"]) == (datasets["samples"].min(), datasets["samples"].max())


def test_rows_follow_from_the_seed_not_from_who_asks_or_how_many(in_pieces):
    whole = in_pieces(Fields(30, 8, -1.7, seed=3, axes=2)).samples
    assert np.array_equal(whole[11:17], Fields(20, 8, -1.7, seed=3, axes=2).read(11, 17).samples)
    assert len(np.unique(whole[:, 0, 0])) == 30
    assert not np.array_equal(whole, in_pieces(Fields(30, 8, -1.7, seed=4, axes=2)).samples)


GOOD = {"--size": "8", "--rows": "5", "--slope": "-1.7"}


@pytest.mark.parametrize(
    "option, value, message",
    [
        ("--size", "3", "--size: '3' is not an integer from 4 to"),
        ("--rows", "0", "--rows: '0' is not an integer from 1 to"),
        ("--slope", "nan", "--slope: 'nan' is not a number from -10 to 10"),
        ("--slope", "steep", "--slope: 'steep' is not a number from -10 to 10"),
        ("--axes", "4", "--axes: invalid choice: 4"),
        ("--slope", None, "the following arguments are required: --slope"),
    ],
)
def test_bad_input(capsys, option, value, message):
    asked = {**GOOD, option: value}
    words = [word for pair in asked.items() if pair[1] is not None for word in pair]
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["prepare", "fields", *words, "out.h5"])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and message in line


def test_more_numbers_than_a_field_can_have():
    with pytest.raises(InputError, match="8,589,934,592 numbers in a field are more than 1,073,741,824"):
        Fields(5, 2048, -1.7, seed=0)


@pytest.mark.parametrize("slope", [-9.0, 10.0])
def test_slopes_whose_faintest_waves_float32_cannot_hold(slope):
    with pytest.raises(InputError, match=f"with slope {slope:g}, rounding to float32 .* nearer to 1, or a"):
        Fields(5, 64, slope, seed=0, axes=2)


def test_the_faintest_waves_of_a_field_outlive_its_rounding(in_pieces):
    """Of the slopes that are taken, this is nearly the steepest."""
    source = Fields(ROWS, 64, -6.0, seed=1, axes=2)
    measured, expected = spectrum.radial_power(in_pieces(source).samples) / ROWS, source.constants["spectrum"]
    assert measured[-1] == pytest.approx(expected[-1], rel=0.1)
