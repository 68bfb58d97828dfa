"""The origin that the options select. test_sample.py has the errors, as the command prints them."""

from contextlib import ExitStack

import numpy as np
import pytest

from hpcgen.errors import InputError
from hpcgen.sampling.choosing import open_origin
from hpcgen.sampling.codes import Interpolation, Reconstruction
from hpcgen.sampling.options import SampleOptions
from hpcgen.sampling.origins import Conditioned, Prior


@pytest.mark.parametrize(
    "kind, asked, origin, rows",
    [
        ("gan", {}, Prior, None),
        ("conditional", {"label": 3}, Prior, None),
        ("linear", {"inputs": True}, Conditioned, 300),
        ("vae", {"reconstruct": True}, Reconstruction, 1797),
        ("vae", {"interpolate": 4}, Interpolation, None),
        ("vae", {"reconstruct": True, "interpolate": 4}, Interpolation, 4 * 1796),
    ],
)
def test_the_origin_that_is_asked_for(loaded, kind, asked, origin, rows):
    model, state, data = loaded(kind)
    given = {name: data if value is True else value for name, value in asked.items()}
    with ExitStack() as stack:
        found = open_origin(model, state, SampleOptions(**given), stack)
        assert type(found) is origin and found.rows == rows
        assert len(found.batch(0).noise if kind != "linear" else found.batch(0).inputs) == 64


def test_the_files_of_an_origin_are_closed(loaded):
    model, state, data = loaded("vae")
    with ExitStack() as stack:
        found = open_origin(model, state, SampleOptions(reconstruct=data), stack)
    with pytest.raises(Exception, match=r"[Cc]losed|[Ii]nvalid|[Nn]ot a "):
        found.batch(0)


def test_a_model_of_inputs_encodes_nothing(loaded):
    model, state, data = loaded("linear")
    with ExitStack() as stack, pytest.raises(InputError, match="linear has no encoder"):
        open_origin(model, state, SampleOptions(inputs=data, interpolate=3), stack)


def test_inputs_may_be_an_array_of_numpy(comm, folder, loaded):
    model, state, _ = loaded("regressor")
    if comm.rank == 0:
        np.save(folder / "x.npy", np.ones((5, 3)))
    comm.Barrier()
    with ExitStack() as stack:
        assert open_origin(model, state, SampleOptions(inputs=folder / "x.npy"), stack).rows == 5
