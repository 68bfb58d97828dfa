"""The kernels in NumPy's API. They define what the compiled ones compute.

Arrays are C-contiguous. A tensor (..., channels) is passed as a matrix (rows, channels).
"""

from hpcgen.nn.kernels.plain.rows import (
    column_products,
    column_squares,
    column_sums,
    combine,
    outer,
    rectify,
    rectify_gradient,
    scale_rectify,
)
from hpcgen.nn.kernels.plain.updates import adam, adam_direction, approach, descend, momentum, rmsprop
from hpcgen.nn.kernels.plain.windows import fold, unfold
from hpcgen.nn.kernels.plain.winograd import (
    winograd_data,
    winograd_data_adjoint,
    winograd_output,
    winograd_output_adjoint,
    winograd_weight,
    winograd_weight_adjoint,
)

NAME = "numpy"

__all__ = [
    "NAME",
    "adam",
    "adam_direction",
    "approach",
    "column_products",
    "column_squares",
    "column_sums",
    "combine",
    "descend",
    "fold",
    "momentum",
    "outer",
    "rectify",
    "rectify_gradient",
    "rmsprop",
    "scale_rectify",
    "unfold",
    "winograd_data",
    "winograd_data_adjoint",
    "winograd_output",
    "winograd_output_adjoint",
    "winograd_weight",
    "winograd_weight_adjoint",
]
