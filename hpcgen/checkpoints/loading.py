"""A checkpoint in memory, whole: what `hpcgen.load` returns."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcgen.checkpoints.folder import newest
from hpcgen.checkpoints.format import _attributes, _layout_shapes, _schema
from hpcgen.checkpoints.opening import _config, _open
from hpcgen.data.schema import Schema
from hpcgen.files.checksums import read_rows
from hpcgen.nn.buffers import Buffer
from hpcgen.nn.vector import Layout, Vector


@dataclass
class Checkpoint:
    """A checkpoint in memory, whole: `players`, `averages` and `optimizer[player]` hold Vectors by name.

    `checkpoint.players["generator"]["dense1/weight"]` is an ndarray. `averages` has the players whose optimizer keeps a mean of
    past parameters.
    """

    path: Path
    step: int
    seed: int
    config: object
    schema: Schema
    attributes: dict
    players: dict
    averages: dict
    optimizer: dict

    @property
    def sampled(self):
        """The Vectors that samples are made from, by player."""
        return {**self.players, **self.averages}


def load(path, optimizer=True):
    """Return the `Checkpoint` in the file `path`, or the newest whole one of the run folder `path`. Needs no MPI launch.

    A damaged file of a run folder is skipped with a warning. `optimizer` = False leaves the optimizer's state, most of the
    file, unread. Raises InputError if there is none, DamagedError if it does not hold what was written.
    """
    path = newest(path, warnings.warn)
    with _open(path) as file:
        attributes, players, averages, slots = _attributes(file), {}, {}, {}
        for player, group in file["players"].items():
            where = f"players/{player}"
            parameters = _layout_shapes(read_rows(file, f"{where}/layout"))
            buffers = _layout_shapes(read_rows(file, f"{where}/buffers_layout")) if "buffers" in group else {}
            layout = Layout(parameters, {name: Buffer(shape) for name, shape in buffers.items()})
            for vectors, parts in ((players, ("parameters", "buffers")), (averages, ("average", "buffers"))):
                if parts[0] in group:
                    sections = [read_rows(file, f"{where}/{part}") for part in parts if part in group]
                    vectors[player] = Vector(layout, np.concatenate(sections))
            slots[player] = {
                slot: Vector(Layout(parameters), read_rows(file, f"{where}/optimizer/{slot}"))
                for slot in (group.get("optimizer", ()) if optimizer else ())
            }
        schema = _schema(
            attributes, {name: read_rows(file, f"schema/{name}") for name in file.get("schema", ())}
        )
    config = _config(path, attributes)
    return Checkpoint(
        path, attributes["step"], attributes["seed"], config, schema, attributes, players, averages, slots
    )
