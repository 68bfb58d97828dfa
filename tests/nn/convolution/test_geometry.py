import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layers.convolution import Conv, ConvTranspose


@given(data=st.data())
def test_positions_are_the_windows_that_fit(windows, data):
    geometry, sizes = data.draw(windows(size=20))
    counted = tuple(
        sum(start + k <= size + 2 * p for start in range(0, size + 2 * p, s))
        for size, k, s, p in zip(sizes, geometry.kernel, geometry.stride, geometry.padding)
    )
    assert geometry.positions(sizes) == counted


@given(data=st.data())
def test_each_size_is_named_by_its_positions_and_an_output_padding(windows, data):
    geometry, sizes = data.draw(windows(size=20))
    fits = zip(sizes, geometry.kernel, geometry.stride, geometry.padding)
    assert (
        geometry.sizes(geometry.positions(sizes), [(size + 2 * p - k) % s for size, k, s, p in fits]) == sizes
    )


@pytest.mark.parametrize("sizes, padded", [((2, 5), "4 x 7"), ((5, 1), "7 x 3")])
def test_a_kernel_that_does_not_fit_is_told(sizes, padded):
    geometry = Geometry((5, 4), (1, 2), (1, 1))
    with pytest.raises(ValueError, match=f"^a kernel of 5 x 4 does not fit into {padded}$"):
        geometry.positions(sizes)
    with pytest.raises(ValueError, match="does not fit"):
        layer = Conv("conv", geometry, 1, 1)
        layer.forward(
            {name: np.ones(shape) for name, shape in layer.parameters().items()}, np.ones((1, *sizes, 1))
        )


def test_padding_that_leaves_nothing_is_told():
    geometry = Geometry((2, 3), (1, 1), (0, 2))
    with pytest.raises(ValueError, match="^padding 0 x 2 leaves no output$"):
        geometry.sizes((3, 2), (0, 0))
    with pytest.raises(ValueError, match="leaves no output"):
        layer = ConvTranspose("conv", geometry, 1, 1, (0, 0))
        layer.forward(
            {name: np.ones(shape) for name, shape in layer.parameters().items()}, np.ones((1, 3, 2, 1))
        )


@pytest.mark.parametrize("output_padding", [(2, 0), (0, 3), (-1, 0)])
def test_an_output_padding_outside_the_stride_is_told(output_padding):
    with pytest.raises(ValueError, match="output_padding must be less than the stride"):
        Geometry((4, 4), (2, 3), (1, 1)).sizes((5, 5), output_padding)


@pytest.mark.parametrize("numbers", [(3,), (3, 3, 3)])
def test_every_axis_needs_its_number(numbers):
    geometry = Geometry((3, 3), (4, 4), (1, 1))
    with pytest.raises(ValueError):
        geometry.positions(numbers)
    with pytest.raises(ValueError):
        geometry.sizes(numbers, (1, 1))
    with pytest.raises(ValueError):
        geometry.sizes((3, 3), numbers)
