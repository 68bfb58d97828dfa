"""A checkpoint in memory, whole: what `hpcgen.load` returns."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcgen.checkpoints.format import layout_shapes, schema_of
from hpcgen.checkpoints.newest import named
from hpcgen.checkpoints.opening import config_of, open_checkpoint
from hpcgen.config.sections import Config
from hpcgen.data.schema import Schema
from hpcgen.files import checksums
from hpcgen.files.reading import attempt, reread
from hpcgen.nn.buffers import Buffer
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.agreement import agree, from_root

if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass
class Checkpoint:
    """A checkpoint in memory. `players`, `averages` and `optimizer[player]` hold Vectors by name.

    `checkpoint.players["generator"]["dense1/weight"]` is an ndarray. `averages` has the players whose
    optimizer keeps a mean of past parameters.
    """

    path: Path
    step: int
    seed: int
    config: Config
    schema: Schema
    attributes: dict[str, Any]
    players: dict[str, Vector]
    averages: dict[str, Vector]
    optimizer: dict[str, dict[str, Vector]]

    @property
    def sampled(self) -> dict[str, Vector]:
        """The Vectors that samples are made from, by player."""
        return {**self.players, **self.averages}


def load(path: Path | str, optimizer: bool = True) -> Checkpoint:
    """Return the Checkpoint in the file `path`, or the newest whole one of the run folder `path`. Needs no
    MPI.

    A file of a run folder that cannot be read is passed over, with a warning. With `optimizer` = False the
    optimizer's state, most of the file, is not read. Raises InputError if there is no checkpoint,
    DamagedError if the file is not what was written, UnreadableError if the system cannot read it.
    """
    return named(path, lambda file: _whole(file, optimizer))


def load_together(path: Path | str, comm: "MPI.Comm", optimizer: bool = False) -> Checkpoint:
    """Return the same as `load`, the same checkpoint on every rank. Collective over `comm`. Raises as
    `load`."""

    def load_one(file: Path) -> Checkpoint:
        with agree(comm):
            found = _whole(file, optimizer)
        return found

    return named(path, load_one, partial(from_root, comm))


def _whole(path: Path, optimizer: bool) -> Checkpoint:
    return reread(path, lambda: _load(path, optimizer))


def _load(path: Path, optimizer: bool) -> Checkpoint:
    with open_checkpoint(path) as (file, attributes):
        names = attempt(
            path, "its players", lambda: {name: list(file[f"players/{name}"]) for name in file["players"]}
        )
        slots = attempt(
            path,
            "its optimizers",
            lambda: {
                name: list(file[f"players/{name}/optimizer"]) if "optimizer" in parts else []
                for name, parts in names.items()
            },
        )
        arrays = attempt(path, "its schema", lambda: list(file["schema"]) if "schema" in file else [])
        players: dict[str, Vector] = {}
        averages: dict[str, Vector] = {}
        states: dict[str, dict[str, Vector]] = {}
        for player, parts in names.items():
            group = f"players/{player}"
            parameters = layout_shapes(checksums.read(file, f"{group}/layout"))
            buffered = "buffers" in parts
            buffers = layout_shapes(checksums.read(file, f"{group}/buffers_layout")) if buffered else {}
            layout = Layout(parameters, {name: Buffer(shape) for name, shape in buffers.items()})
            for vectors, name in ((players, "parameters"), (averages, "average")):
                if name in parts:
                    sections = [checksums.read(file, f"{group}/{name}")]
                    if buffered:
                        sections.append(checksums.read(file, f"{group}/buffers"))
                    vectors[player] = Vector(layout, np.concatenate(sections))
            states[player] = {
                slot: Vector(Layout(parameters), checksums.read(file, f"{group}/optimizer/{slot}"))
                for slot in (slots[player] if optimizer else ())
            }
        schema = schema_of(attributes, {name: checksums.read(file, f"schema/{name}") for name in arrays})
    config = config_of(path, attributes)
    return Checkpoint(
        path, attributes["step"], attributes["seed"], config, schema, attributes, players, averages, states
    )
