"""What the disk kept, compared with what was meant."""

import h5py
import numpy as np
import pytest

from hpcgen.errors import AccessError, DamagedError, UnreadableError, WriteError
from hpcgen.files.readback import kept, require_structure
from hpcgen.files.slabs import Slab

VALUES = [1, 1.0, True, "1", [1], [1.0], [[1]], [1, 1], [True], -1, "text", "", "Größe"]


@pytest.fixture
def slabs():
    return {"a": Slab.rows((5,), 0, np.arange(5.0))}


@pytest.fixture
def path(tmp_path, slabs):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = np.arange(5.0)
    return tmp_path / "x.h5"


@pytest.mark.parametrize("meant", VALUES, ids=repr)
@pytest.mark.parametrize("found", VALUES, ids=repr)
def test_an_attribute_has_the_value_type_and_shape_that_were_meant(path, slabs, found, meant):
    with h5py.File(path, "r+") as file:
        file.attrs["x"] = found
    if repr(found) == repr(meant):
        require_structure(path, {"x": meant}, slabs)
    else:
        with pytest.raises(DamagedError, match="its attributes differ from those that were written"):
            require_structure(path, {"x": meant}, slabs)


@pytest.mark.parametrize("attributes", [{}, {"y": 1}, {"x": 1, "y": 1}])
def test_attributes_that_are_missing_or_too_many(path, slabs, attributes):
    with h5py.File(path, "r+") as file:
        file.attrs["x"] = 1
    with pytest.raises(DamagedError):
        require_structure(path, attributes, slabs)


@pytest.mark.parametrize("name, array", [("a", np.zeros(5, "f4")), ("a", np.zeros(6)), ("b", np.zeros(5))])
def test_datasets_have_the_name_type_and_shape_that_were_meant(path, slabs, name, array):
    require_structure(path, {}, slabs)
    with pytest.raises(DamagedError, match="its datasets differ from those that were written"):
        require_structure(path, {}, {name: Slab.rows(array.shape, 0, array)})


def test_what_was_not_kept_is_a_refusal_of_the_disk(path):
    for error in (DamagedError("x"), AccessError("x")):
        with pytest.raises(WriteError, match=r"the disk did not keep x.h5: x; existing files"), kept(path):
            raise error
    with pytest.raises(UnreadableError), kept(path):
        raise UnreadableError("x")
