"""A run's state written to a checkpoint, and read back, by any number of ranks."""

import json

from hpcgen.checkpoints.format import (
    FORMAT,
    VERSION,
    _attributes,
    _layout_rows,
    _schema_arrays,
    _schema_attributes,
)
from hpcgen.checkpoints.opening import ForeignError, _config, _open, _part_of_run
from hpcgen.config.reading import differences
from hpcgen.files import writing
from hpcgen.files.checksums import read_rows
from hpcgen.files.slabs import Slab
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import state_partition


def save(path, comm, step, config, schema, fingerprint, environment, players):
    """Write `players` (name -> PlayerState) after `step` steps. Collective over `comm`.

    Each rank writes its own slice of every flat vector. Errors as `writing.write`.
    """
    slabs = {}
    for player, state in players.items():
        layout, data = state.theta.layout, state.theta.data
        mine = _parameter_slices(layout, comm.size)[comm.rank]
        size, group = layout.parameters.stop, f"players/{player}"
        slabs[f"{group}/parameters"] = Slab((size,), mine.start, data[mine])
        slabs[f"{group}/layout"] = Slab.replicated(_layout_rows(layout, layout.parameters), comm)
        for part, values in state.parts.items():
            offset = state.owned.start
            slabs[f"{group}/{part}"] = Slab(
                (size,), mine.start, values[mine.start - offset : mine.stop - offset]
            )
        if layout.buffers.stop > layout.buffers.start:
            slabs[f"{group}/buffers"] = Slab.replicated(data[layout.buffers], comm)
            slabs[f"{group}/buffers_layout"] = Slab.replicated(_layout_rows(layout, layout.buffers), comm)
    attributes = {
        "format": FORMAT,
        "version": VERSION,
        "step": step,
        "seed": config.seed,
        "lanes": config.train.lanes,
        "lane_size": config.train.lane_size,
        "config": config.toml(),
        "environment": json.dumps(environment),
        "data": fingerprint,
        **_schema_attributes(schema),
    }
    slabs |= {name: Slab.replicated(array, comm) for name, array in _schema_arrays(schema).items()}
    writing.write(path, comm, attributes, slabs)


def restore(path, comm, config, fingerprint, players):
    """Fill `players` (name -> PlayerState) from the checkpoint and return its attributes. Collective over `comm`.

    Each rank reads and verifies its own slices. Raises ForeignError if the checkpoint is of another configuration or of data
    with another `fingerprint`, DamagedError on all ranks if any finds damage; `players` may then be half filled.
    """
    from mpi4py import MPI

    with agree(comm), _part_of_run(path), _open(path) as file:
        attributes = _attributes(file)
        changed = differences(config, _config(path, attributes))
        if changed:
            raise ForeignError(
                f"{path}: is of another configuration ({'; '.join(changed)}); start over with --fresh"
            )
        if attributes["data"] != fingerprint:
            raise ForeignError(
                f"data.path: not the data that {path} was trained on; give them again, or start over with --fresh"
            )
        for player, state in players.items():
            layout, group = state.theta.layout, f"players/{player}"
            mine = _parameter_slices(layout, comm.size)[comm.rank]
            state.theta.data[mine] = read_rows(file, f"{group}/parameters", mine.start, mine.stop)
            stop = min(state.owned.stop, layout.parameters.stop)
            for part, values in state.parts.items():
                values[...] = read_rows(file, f"{group}/{part}", state.owned.start, stop)
            if layout.buffers.stop > layout.buffers.start:
                state.theta.data[layout.buffers] = read_rows(file, f"{group}/buffers")
    for state in players.values():
        slices = _parameter_slices(state.theta.layout, comm.size)
        counts = [s.stop - s.start for s in slices]
        comm.Allgatherv(MPI.IN_PLACE, [state.theta.data, counts, [s.start for s in slices], MPI.FLOAT])
    return attributes


def _parameter_slices(layout, size):
    """Return each rank's slice of the parameters: its part of the state, as far as it is parameters."""
    parts, stop = state_partition(layout, size), layout.parameters.stop
    return [slice(min(s.start, stop), min(s.stop, stop)) for s in map(parts.slice, range(size))]
