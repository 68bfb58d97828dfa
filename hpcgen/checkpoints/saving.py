"""Save the state of a run to a checkpoint, and restore it, with any number of ranks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcgen.arrays import Array, from_host, to_host
from hpcgen.checkpoints.format import FORMAT, VERSION, layout_rows, schema_arrays, schema_attributes
from hpcgen.checkpoints.opening import open_checkpoint, part_of_run, require_same_run
from hpcgen.checkpoints.state import PlayerState
from hpcgen.config.sections import Config
from hpcgen.data.schema import Schema
from hpcgen.files import checksums, writing
from hpcgen.files.reading import reread
from hpcgen.files.slabs import Piece, Slab
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.exchange.exchange import complete

if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass
class RunState:
    """The state of a run after `step` steps, on one rank, as a checkpoint holds it.

    `fingerprint` identifies the training data. `environment` names the software.
    """

    step: int
    config: Config
    schema: Schema
    fingerprint: str
    environment: Mapping[str, str]
    players: Mapping[str, PlayerState]


def save(path: Path, comm: "MPI.Comm", state: RunState) -> None:
    """Write a checkpoint. Each rank writes the ranges that `PlayerState.written` gives it.

    Collective over `comm`. Raises the errors of `hpcgen.files.writing.write`.
    """
    config = state.config
    slabs: dict[str, Slab] = {}
    for player, numbers in state.players.items():
        slabs |= {
            f"players/{player}/{name}": slab for name, slab in _player_slabs(numbers, comm.rank).items()
        }
    attributes = {
        "format": FORMAT,
        "version": VERSION,
        "step": state.step,
        "seed": config.seed,
        "lanes": config.train.lanes,
        "lane_size": config.train.lane_size,
        "config": config.toml(),
        "environment": json.dumps(dict(state.environment)),
        "data": state.fingerprint,
        **schema_attributes(state.schema),
    }
    slabs |= {name: Slab.replicated(array, comm.rank) for name, array in schema_arrays(state.schema).items()}
    writing.write(path, comm, attributes, slabs)


def _player_slabs(state: PlayerState, rank: int) -> dict[str, Slab]:
    layout, data = state.theta.layout, to_host(state.theta.data)
    shape = (layout.parameters.stop,)

    def packed(values: Array) -> Slab:
        """Return the Slab of the owned numbers `values` that this rank writes."""
        values = to_host(values)
        pieces = [
            Piece((piece.start,), values[piece.inside])
            for written in state.written.mine
            for piece in state.ownership.mine_within(written.where)
        ]
        return Slab(shape, values.dtype, pieces)

    whole = [Piece((piece.start,), data[piece.where]) for piece in state.written.mine]
    slabs = {"parameters": Slab(shape, data.dtype, whole)}
    slabs["layout"] = Slab.replicated(layout_rows(layout, layout.parameters), rank)
    slabs |= {part: packed(values) for part, values in state.parts.items()}
    if layout.buffers.stop > layout.buffers.start:
        slabs["buffers"] = Slab.replicated(data[layout.buffers], rank)
        slabs["buffers_layout"] = Slab.replicated(layout_rows(layout, layout.buffers), rank)
    return slabs


def restore(
    path: Path, comm: "MPI.Comm", config: Config, fingerprint: str, players: Mapping[str, PlayerState]
) -> dict[str, Any]:
    """Fill `players` from the checkpoint and return its attributes.

    Each rank reads and verifies the parts that it needs. Collective over `comm`. Raises ForeignError if the
    checkpoint has another configuration, or was trained on data with another `fingerprint`. Raises
    DamagedError on all ranks if any rank finds damage; `players` may then be partly filled.
    """
    with agree(comm), part_of_run(path):
        attributes = reread(path, lambda: _fill(path, config, fingerprint, players))
    for state in players.values():
        complete(comm, state.theta.data, state.written)
    return attributes


def _fill(path: Path, config: Config, fingerprint: str, players: Mapping[str, PlayerState]) -> dict[str, Any]:
    """Read the numbers that this rank owns, and return the checkpoint's attributes."""
    with open_checkpoint(path) as (file, attributes):
        require_same_run(path, attributes, config, fingerprint)
        for player, state in players.items():
            layout, theta, group = state.theta.layout, state.theta.data, f"players/{player}"
            for piece in state.written.mine:
                numbers = checksums.read(file, f"{group}/parameters", piece.start, piece.stop)
                theta[piece.where] = from_host(numbers)
            for part, values in state.parts.items():
                for piece in state.ownership.mine:
                    numbers = checksums.read(file, f"{group}/{part}", piece.start, piece.stop)
                    values[piece.inside] = from_host(numbers)
            if layout.buffers.stop > layout.buffers.start:
                theta[layout.buffers] = from_host(checksums.read(file, f"{group}/buffers"))
    return attributes
