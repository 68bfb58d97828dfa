"""Every form of a convolution has the maps that a layer multiplies with."""

import inspect

import pytest

from hpcgen.nn.convolution.form import Form
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.windows import Windows
from hpcgen.nn.convolution.winograd import Winograd

GEOMETRY = Geometry((4, 4), (2, 2), (1, 1))
FORMS = [Windows(GEOMETRY, 3, 5), Winograd(GEOMETRY, 3, 5, 2), Winograd(GEOMETRY, 3, 5, 4)]


@pytest.mark.parametrize("form", FORMS, ids=["windows", "F(2, 2)", "F(4, 2)"])
def test_a_form_has_each_map(form):
    for name, member in inspect.getmembers(Form, inspect.isfunction):
        if not name.startswith("_"):
            mine = inspect.signature(getattr(form, name)).parameters
            assert list(mine) == [key for key in inspect.signature(member).parameters if key != "self"], name
    assert form.outputs == 5 and form.products >= 1 and form.inner % 3 == 0


def test_forms_of_one_kind_have_the_same_maps():
    assert len({form.kind for form in FORMS}) == 3
