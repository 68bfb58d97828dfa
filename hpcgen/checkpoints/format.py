"""Checkpoints: plain global arrays in one HDF5 file, written and read by any number of ranks.

    /players/<player>/parameters          (n,)   each rank writes its own ranges
    /players/<player>/layout              (name, offset, shape) of each parameter
    /players/<player>/optimizer/<slot>    (n,)
    /players/<player>/average             (n,)   if the optimizer keeps a mean of past parameters
    /players/<player>/buffers, buffers_layout    if the model has running statistics
    /schema/vocabulary (v,)               if the samples are text
    /schema/inputs, /schema/outputs (2, p)    mean and deviation of columns, if the data have inputs
    /checksums/...                        see `hpcgen.files.checksums`

Attributes: format, version, step, seed, lanes, lane_size, config (the resolved run file), environment (JSON),
data (the data file's fingerprint), and the description of a sample: sample_shape, sample_dtype, sample_kind,
low, high, classes, rate, units.
"""

from typing import Any

import numpy as np

from hpcgen.data.schema import Columns, Schema
from hpcgen.nn.vector import Layout

FORMAT = "hpcgen-checkpoint"
VERSION = 2
# The attributes of a checkpoint, and their types in Python.
ATTRIBUTES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("format", "config", "environment", "data", "sample_dtype", "sample_kind", "units"), str),
    **dict.fromkeys(("version", "step", "seed", "lanes", "lane_size", "classes", "rate"), int),
    **dict.fromkeys(("low", "high"), (int, float)),
    "sample_shape": list,
}
# A row of a layout: the name of a tensor, its offset in the vector, and its shape, padded with zeros.
LAYOUT = np.dtype([("name", "S64"), ("offset", "<i8"), ("shape", "<i8", (8,))])


def layout_rows(layout: Layout, section: slice) -> np.ndarray:
    """Return the rows of LAYOUT that describe a section of a vector."""
    names = layout.names(section)
    rows = np.zeros(len(names), LAYOUT)
    for row, part in zip(rows, names, strict=True):
        shape = layout.shapes[part]
        row["name"], row["offset"] = part.encode(), layout.offsets[part] - section.start
        row["shape"][: len(shape)] = shape
    return rows


def schema_attributes(schema: Schema) -> dict[str, Any]:
    """Return the attributes that describe a sample."""
    return {
        "sample_shape": list(schema.shape),
        "sample_dtype": schema.dtype,
        "sample_kind": schema.kind,
        "low": schema.low,
        "high": schema.high,
        "classes": schema.classes,
        "rate": schema.rate,
        "units": schema.units,
    }


def schema_arrays(schema: Schema) -> dict[str, np.ndarray]:
    """Return the datasets that describe a sample, by name."""
    columns = {"schema/inputs": schema.inputs, "schema/outputs": schema.outputs}
    arrays = {name: np.array([c.mean, c.deviation]) for name, c in columns.items() if c is not None}
    return arrays | ({"schema/vocabulary": schema.code_points} if schema.vocabulary else {})


def schema_of(attributes: dict[str, Any], arrays: dict[str, np.ndarray]) -> Schema:
    """Return the Schema that the attributes and the datasets below /schema describe."""
    columns = {
        name: Columns(*map(tuple, arrays[name].tolist())) for name in ("inputs", "outputs") if name in arrays
    }
    return Schema(
        shape=tuple(attributes["sample_shape"]),
        dtype=attributes["sample_dtype"],
        kind=attributes["sample_kind"],
        low=attributes["low"],
        high=attributes["high"],
        classes=attributes["classes"],
        rate=attributes["rate"],
        vocabulary="".join(map(chr, arrays.get("vocabulary", ()))),
        units=attributes["units"],
        inputs=columns.get("inputs"),
        outputs=columns.get("outputs"),
    )
