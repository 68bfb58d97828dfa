"""Load a whole checkpoint into memory, as `hpcgen.load` does."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from hpcgen.arrays import from_host
from hpcgen.checkpoints.format import layout_rows, schema_of
from hpcgen.checkpoints.newest import choices, named
from hpcgen.checkpoints.opening import ForeignError, config_of, open_checkpoint
from hpcgen.config.sections import Config
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.files import checksums
from hpcgen.files.reading import attempt, reread
from hpcgen.models import MODELS
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.agreement import agree, from_root

if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass
class Checkpoint:
    """A checkpoint in memory. `players`, `averages` and `optimizer[player]` hold Vectors by name.

    `checkpoint.players["generator"]["dense1/weight"]` is an ndarray. `averages` holds a Vector for each
    player whose optimizer keeps a mean of past parameters. Layouts are those of the model that `config`
    describes.
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
        """The Vectors that samples are made from, by player, on the run's device."""
        vectors = {**self.players, **self.averages}
        return {player: Vector(each.layout, from_host(each.data)) for player, each in vectors.items()}


def load(path: Path | str, optimizer: bool = True) -> Checkpoint:
    """Return the Checkpoint in the file `path`, or the newest whole one in the run folder `path`.

    Needs no MPI. In a run folder, a file that cannot be read is skipped with a warning. With `optimizer` =
    False the optimizer's state, which is most of the file, is not read. Raises InputError if there is no
    checkpoint, DamagedError if the file is damaged, UnreadableError if the system cannot read it.
    """
    return named(path, choices(path), lambda file: _whole(file, optimizer))


def load_together(path: Path | str, comm: "MPI.Comm", optimizer: bool = False) -> Checkpoint:
    """Load the same checkpoint on every rank, as `load` does. Collective over `comm`.

    Raises the errors of `load`.
    """

    def load_one(file: Path) -> Checkpoint:
        with agree(comm):
            found = _whole(file, optimizer)
        return found

    return named(path, from_root(comm, choices, path), load_one)


def _whole(path: Path, optimizer: bool) -> Checkpoint:
    return reread(path, lambda: _load(path, optimizer))


def _load(path: Path, optimizer: bool) -> Checkpoint:
    with open_checkpoint(path) as (file, attributes):
        config = config_of(path, attributes)
        arrays = {name: checksums.read(file, f"schema/{name}") for name in _members(file, "schema")}
        schema = schema_of(attributes, arrays)
        layouts = _layouts(path, config, schema)
        _require(path, "other players", set(_members(file, "players")) == layouts.keys())
        read = {player: _Player.read(file, player, layouts[player], optimizer) for player in sorted(layouts)}
    return Checkpoint(
        path,
        attributes["step"],
        attributes["seed"],
        config,
        schema,
        attributes,
        players={player: part.theta for player, part in read.items()},
        averages={player: part.average for player, part in read.items() if part.average is not None},
        optimizer={player: part.slots for player, part in read.items()},
    )


class _Player(NamedTuple):
    """The state of one player in a checkpoint. `average` is None if the optimizer keeps no average."""

    theta: Vector
    average: Vector | None
    slots: dict[str, Vector]

    @classmethod
    def read(cls, file: h5py.File, player: str, layout: Layout, optimizer: bool) -> "_Player":
        """Read a player. Raises ForeignError unless its parameters and buffers have the names and shapes of
        `layout`."""
        group = f"players/{player}"
        buffered = layout.buffers.stop > layout.buffers.start
        for name, section in (("layout", layout.parameters), ("buffers_layout", layout.buffers)):
            if name == "layout" or buffered:
                stored = checksums.read(file, f"{group}/{name}")
                same = stored.tobytes() == layout_rows(layout, section).tobytes()
                _require(file.filename, f"other names or shapes in /{group}/{name}", same)
        buffers = [checksums.read(file, f"{group}/buffers")] if buffered else []

        def vector(name: str) -> Vector:
            return Vector(layout, np.concatenate([checksums.read(file, f"{group}/{name}"), *buffers]))

        parameters = Layout(layout.shapes_of(layout.parameters))
        slots = {
            slot: Vector(parameters, checksums.read(file, f"{group}/optimizer/{slot}"))
            for slot in (_members(file, f"{group}/optimizer") if optimizer else ())
        }
        averaged = "average" in _members(file, group)
        return cls(vector("parameters"), vector("average") if averaged else None, slots)


def _layouts(path: Path, config: Config, schema: Schema) -> dict[str, Layout]:
    """Return the Layout of each player. The model gives it, with the update rule of each buffer.

    Raises ForeignError if the configuration describes no model of this version of hpcgen.
    """
    try:
        layouts = MODELS[config.model.kind](config.model, schema).layouts
    except InputError as error:
        raise ForeignError(f"{path}: written by a version of hpcgen with another model ({error})") from None
    return {player: layout.state() for player, layout in layouts.items()}


def _members(file: h5py.File, group: str) -> list[str]:
    """Return the names in a group, or [] if the file has no such group."""
    return attempt(file.filename, f"/{group}", lambda: list(file[group]) if group in file else [])


def _require(path: Path | str, other: str, same: bool) -> None:
    """Raise ForeignError unless `same` is true. `other` names what differs from the model."""
    if not same:
        raise ForeignError(f"{path}: written by a version of hpcgen with another model ({other})")
