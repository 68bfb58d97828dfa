import numpy as np
import pytest

from hpcgen.checkpoints.format import (
    ATTRIBUTES,
    layout_rows,
    schema_arrays,
    schema_attributes,
    schema_of,
)
from hpcgen.data.schema import Columns, Schema
from hpcgen.nn.vector import Layout

SCHEMAS = [
    Schema((8, 8, 1), "uint8", "image", 0.0, 255.0, classes=10),
    Schema((12,), "uint8", "text", 0.0, 2.0, vocabulary="aß€", units="characters"),
    Schema((64,), "float32", "audio", -1.0, 1.0, rate=8000),
    Schema(
        (2,),
        "float32",
        "array",
        -3.0,
        4.0,
        inputs=Columns((0.0, 1.5), (1.0, 2.0)),
        outputs=Columns((0.5,), (3.0,)),
    ),
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=[schema.kind for schema in SCHEMAS])
def test_a_schema_is_read_as_it_was_written(schema):
    attributes = schema_attributes(schema)
    arrays = {name.removeprefix("schema/"): array for name, array in schema_arrays(schema).items()}
    assert schema_of(attributes, arrays) == schema
    assert all(isinstance(value, ATTRIBUTES[name]) for name, value in attributes.items())


def test_a_layout_is_written_as_names_offsets_and_shapes():
    parameters = {"dense1/weight": (100, 256), "dense1/bias": (256,), "gain": ()}
    layout = Layout(parameters, {}, {"loss": ()})
    rows = layout_rows(layout, layout.parameters)
    assert rows["name"].tolist() == [name.encode() for name in parameters]
    assert rows["offset"].tolist() == [0, 25600, 25856]
    assert [tuple(n for n in shape if n) for shape in rows["shape"].tolist()] == list(parameters.values())
    assert np.all(rows["shape"][2] == 0)
