"""Checkpoints: plain global arrays in one HDF5 file, written and read by any number of ranks.

    /players/<player>/parameters          (n,)   every rank writes its own slice
    /players/<player>/layout              (name, offset, shape) of each parameter
    /players/<player>/optimizer/<slot>    (n,)
    /players/<player>/average             (n,)   where the optimizer keeps a mean of past parameters
    /players/<player>/buffers, buffers_layout    where the model has running statistics
    /schema/vocabulary (v,), /schema/inputs, /schema/outputs (2, p): mean and deviation of columns, where the data have them
    /checksums/...                        see `hpcgen.files.storage`

Attributes: format, version, step, seed, lanes, lane_size, config (the resolved run file), environment (JSON), data (the data
file's fingerprint), and what a sample is: sample_shape, sample_dtype, sample_kind, low, high, classes, rate, units.
"""

import json
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcgen.config.reading import differences, parse_config
from hpcgen.data.schema import Columns, Schema
from hpcgen.errors import DamagedError, InputError
from hpcgen.files import storage
from hpcgen.files.storage import Slab
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import state_partition

FORMAT, VERSION = "hpcgen-checkpoint", 2
NAME = re.compile(r"step-(\d{8,})\.h5")
LAYOUT = np.dtype([("name", "S64"), ("offset", "<i8"), ("shape", "<i8", (8,))])


@dataclass
class PlayerState:
    """A player's numbers on one rank: `theta` complete, optimizer slots and `average` (or None) for the slice `owned` of it."""

    theta: Vector
    slots: dict
    owned: slice
    average: np.ndarray | None = None

    @property
    def parts(self):
        """The arrays of which this rank holds a slice of the parameters' length, by their path in a checkpoint."""
        slots = {f"optimizer/{slot}": values for slot, values in self.slots.items()}
        return slots if self.average is None else {**slots, "average": self.average}


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


def name(step):
    """Return the file name of the checkpoint after `step` steps."""
    return f"step-{step:08d}.h5"


def save(path, comm, step, config, schema, fingerprint, environment, players):
    """Write `players` (name -> PlayerState) after `step` steps. Collective over `comm`.

    Each rank writes its own slice of every flat vector. Errors as `storage.write`.
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
    storage.write(path, comm, attributes, slabs)


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
            state.theta.data[mine] = storage.read_rows(file, f"{group}/parameters", mine.start, mine.stop)
            stop = min(state.owned.stop, layout.parameters.stop)
            for part, values in state.parts.items():
                values[...] = storage.read_rows(file, f"{group}/{part}", state.owned.start, stop)
            if layout.buffers.stop > layout.buffers.start:
                state.theta.data[layout.buffers] = storage.read_rows(file, f"{group}/buffers")
    for state in players.values():
        slices = _parameter_slices(state.theta.layout, comm.size)
        counts = [s.stop - s.start for s in slices]
        comm.Allgatherv(MPI.IN_PLACE, [state.theta.data, counts, [s.start for s in slices], MPI.FLOAT])
    return attributes


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
            parameters = _layout_shapes(storage.read_rows(file, f"{where}/layout"))
            buffers = (
                _layout_shapes(storage.read_rows(file, f"{where}/buffers_layout"))
                if "buffers" in group
                else {}
            )
            layout = Layout(parameters, buffers)
            for vectors, parts in ((players, ("parameters", "buffers")), (averages, ("average", "buffers"))):
                if parts[0] in group:
                    sections = [storage.read_rows(file, f"{where}/{part}") for part in parts if part in group]
                    vectors[player] = Vector(layout, np.concatenate(sections))
            slots[player] = {
                slot: Vector(Layout(parameters), storage.read_rows(file, f"{where}/optimizer/{slot}"))
                for slot in (group.get("optimizer", ()) if optimizer else ())
            }
        schema = _schema(
            attributes, {name: storage.read_rows(file, f"schema/{name}") for name in file.get("schema", ())}
        )
    config = _config(path, attributes)
    return Checkpoint(
        path, attributes["step"], attributes["seed"], config, schema, attributes, players, averages, slots
    )


def candidates(run):
    """Return the paths of the checkpoints in the run folder `run`, newest first."""
    steps = {
        path: NAME.fullmatch(path.name)
        for path in (Path(run) / "checkpoints").glob("step-*.h5")
        if path.is_file()
    }
    return sorted(
        (path for path, match in steps.items() if match), key=lambda path: int(steps[path][1]), reverse=True
    )


def newest(path, warn):
    """Return `path`, or if it is a run folder the path of its newest whole checkpoint; `warn` is told of damaged ones."""
    if not Path(path).is_dir():
        return Path(path)
    for candidate in candidates(path):
        try:
            with _part_of_run(candidate):
                load(candidate)
            return candidate
        except DamagedError as error:
            warn(f"skipped: {error}")
    raise InputError(f"{path}: holds no whole checkpoint")


def verify(path, comm):
    """Raise DamagedError unless `path`, a checkpoint of a run folder, is whole. Collective over `comm`."""
    with agree(comm), _part_of_run(path), _open(path):
        pass
    storage.verify(path, comm)


class ForeignError(InputError):
    """A checkpoint, whole, that belongs to another run, or to another hpcgen."""


def _config(path, attributes):
    try:
        return parse_config(attributes["config"])
    except InputError as error:
        raise ForeignError(f"{path}: written by an hpcgen with other keys ({error})") from None


@contextmanager
def _part_of_run(path):
    """Where hpcgen put a checkpoint, whatever cannot be read as one is damage: an empty file after a crash, say."""
    try:
        yield
    except (DamagedError, ForeignError):
        raise
    except InputError as error:
        raise DamagedError(f"{error} (damaged)") from None


@contextmanager
def _open(path):
    """Open a checkpoint file for reading, its structure verified."""
    with storage.open_file(path) as file:
        if not storage.has_checksums(file) or file.attrs.get("format") != FORMAT:
            raise InputError(f"{path}: not a checkpoint of hpcgen")
        if file.attrs["version"] != VERSION:
            raise ForeignError(
                f"{path}: checkpoint version {file.attrs['version']}; this hpcgen reads version {VERSION}"
            )
        yield file


def _attributes(file):
    return {name: np.asarray(value).tolist() for name, value in file.attrs.items()}


def _schema_attributes(schema):
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


def _schema_arrays(schema):
    columns = {"schema/inputs": schema.inputs, "schema/outputs": schema.outputs}
    arrays = {name: np.array([c.mean, c.deviation]) for name, c in columns.items() if c is not None}
    return arrays | ({"schema/vocabulary": schema.code_points} if schema.vocabulary else {})


def _schema(attributes, arrays):
    columns = {
        name: Columns(*map(tuple, arrays[name].tolist())) for name in ("inputs", "outputs") if name in arrays
    }
    return Schema(
        tuple(attributes["sample_shape"]),
        *(attributes[key] for key in ("sample_dtype", "sample_kind", "low", "high", "classes", "rate")),
        "".join(map(chr, arrays.get("vocabulary", ()))),
        attributes["units"],
        **columns,
    )


def _parameter_slices(layout, size):
    """Return each rank's slice of the parameters: its part of the state, as far as it is parameters."""
    parts, stop = state_partition(layout, size), layout.parameters.stop
    return [slice(min(s.start, stop), min(s.stop, stop)) for s in map(parts.slice, range(size))]


def _layout_rows(layout, section):
    names = layout.names(section)
    rows = np.zeros(len(names), LAYOUT)
    for row, part in zip(rows, names):
        shape = layout.shapes[part]
        row["name"], row["offset"] = part.encode(), layout.offsets[part] - section.start
        row["shape"][: len(shape)] = shape
    return rows


def _layout_shapes(rows):
    return {row["name"].decode(): tuple(int(n) for n in row["shape"] if n) for row in rows}
