"""What a file or a run holds, whether it is whole, and whether two checkpoints are the same."""

import json
from pathlib import Path

import numpy as np
from mpi4py import MPI

from hpcgen.checkpoints import format, loading, opening
from hpcgen.checkpoints.folder import candidates, newest
from hpcgen.data.file import DataFiles, open_data
from hpcgen.errors import DamagedError, InputError
from hpcgen.files.checksums import verify
from hpcgen.files.reading import content, has_checksums, open_file
from hpcgen.files.slabs import block_rows, partition
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.parallel.partition import Partition


def inspect(path, comm, say):
    """Tell what a data file, checkpoint or run folder holds and verify it; return 0, or 1 if it is damaged.

    The ranks divide the reading. Collective over `comm`; raises InputError for anything else.
    """
    try:
        path = Path(path)
        if path.is_dir():
            return _inspect_run(path, comm, say)
        kind = from_root(comm, _kind, path)
        KINDS[kind](path, comm, say)
    except DamagedError as error:
        say(f"DAMAGED  {error}")
        return 1
    return 0


def compare(a, b, comm, say):
    """Tell whether two checkpoints hold the same bits in every dataset; return 0 if so, else 1. Collective over `comm`."""
    a, b = (from_root(comm, newest, path, say) for path in (a, b))
    for path in (a, b):
        if from_root(comm, _kind, path) != format.FORMAT:
            raise InputError(f"{path}: not a checkpoint of hpcgen")
        verify(path, comm)
    with agree(comm):
        lines, largest = _differences(a, b, comm)
    lines = comm.reduce(lines, op=_largest_by_name)
    largest = comm.allreduce(largest, op=MPI.MAX)
    for name, difference in sorted((lines or {}).items()):
        say(f"{name}: {difference if isinstance(difference, str) else f'differs by up to {difference:.9g}'}")
    say("the same bits" if largest < 0 else f"different; largest difference {largest:.9g}")
    return 0 if largest < 0 else 1


def _differences(a, b, comm):
    """Return ({name: difference}, largest) over this rank's rows; -1 stands for none."""
    found, largest = {}, -1.0
    with open_file(a) as one, open_file(b) as other:
        steps = int(one.attrs["step"]), int(other.attrs["step"])
        if steps[0] != steps[1]:
            found["step"], largest = f"{steps[0]} and {steps[1]}", 0.0
        names = [set(content(file)) for file in (one, other)]
        for name in names[0] ^ names[1]:
            found[name], largest = f"only in {a if name in names[0] else b}", np.inf
        for name in sorted(names[0] & names[1]):
            difference = _dataset_difference(one[name], other[name], comm)
            if difference is not None:
                found[name] = difference
                largest = max(largest, np.inf if isinstance(difference, str) else difference)
    return found, largest


def _dataset_difference(one, other, comm):
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"{one.dtype} {one.shape} and {other.dtype} {other.shape}"
    mine = partition(one.shape, one.dtype, comm.size).slice(comm.rank)
    step = block_rows(one.shape, one.dtype) * 1024
    largest = None
    for start in range(mine.start, mine.stop, step):
        x, y = one[start : min(start + step, mine.stop)], other[start : min(start + step, mine.stop)]
        if x.tobytes() == y.tobytes():
            continue
        if x.dtype.kind != "f":
            return "differs"
        difference = np.nan_to_num(np.abs(x.astype(np.float64) - y), nan=np.inf).max()
        largest = max(largest or 0.0, float(difference))
    return largest


def _largest_by_name(x, y):
    merged = dict(x)
    for name, difference in y.items():
        merged[name] = (
            difference if isinstance(difference, str) else max(merged.get(name, difference), difference)
        )
    return merged


def _kind(path):
    with open_file(path) as file:
        declared = str(file.attrs.get("format"))
        return declared if declared in KINDS else "samples" if "samples" in file else "unknown"


def _inspect_data(path, comm, say):
    with agree(comm), open_data(path) as file, DataFiles([path]) as data:
        shape, dtype, attributes = file["samples"].shape, file["samples"].dtype, dict(file.attrs)
        others = [f"/{name} {file[name].shape}" for name in content(file) if name != "samples"]
        checked = has_checksums(file)
        mine = Partition.even(data.rows, comm.size).slice(comm.rank)
        for start in range(mine.start, mine.stop, 4096):
            data.read(start, min(start + 4096, mine.stop))
    if checked:
        verify(path, comm)
    say(f"{path}: data file, {shape[0]:,} samples of {' x '.join(map(str, shape[1:]))} {dtype}")
    for name in ("kind", "source", "low", "high"):
        say(f"  {name:<8}{attributes.get(name, 'not given')}")
    for name in sorted(attributes.keys() & {"units", "rate", "noise"}):
        say(f"  {name:<8}{attributes[name]}")
    for other in others:
        say(f"  {other}")
    say(
        "  whole: every checksum holds, every number is finite"
        if checked
        else "  no checksums (not made by hpcgen); every number is finite"
    )


def _inspect_checkpoint(path, comm, say):
    verify(path, comm)
    with agree(comm):
        lines = list(_checkpoint_lines(path)) if comm.rank == 0 else []
    for line in lines:
        say(line)


def _checkpoint_lines(path):
    state = loading.load(path)
    attributes = state.attributes
    yield f"{path}: checkpoint after step {state.step:,}, seed {state.seed}"
    yield f"  model     {state.config.model.kind} {state.config.model.network}"
    yield f"  samples   {' x '.join(map(str, state.schema.shape))} {state.schema.dtype}, {state.schema.kind}"
    yield f"  lanes     {attributes['lanes']} of {attributes['lane_size']} samples"
    for player, vector in state.players.items():
        slots = ", ".join(state.optimizer[player]) or "without state"
        average = ", averaged for samples" if player in state.averages else ""
        yield f"  {player}: {vector.layout.parameters.stop:,} parameters, optimizer {slots}{average}"
        width = max(map(len, vector))
        for name, shape in vector.layout.shapes.items():
            yield f"    {name:<{width}} {' x '.join(map(str, shape))}"
    for key, value in json.loads(attributes["environment"]).items():
        yield f"  {key:<9} {value}"
    yield "  whole: every checksum holds"


def _inspect_run(path, comm, say):
    """Verify every checkpoint of a run; return 1 if one is damaged."""
    paths = from_root(comm, candidates, path)
    if not paths and not (path / "config.toml").exists():
        raise InputError(f"{path}: neither a data file, nor a checkpoint, nor a run folder")
    say(f"{path}: run folder, {len(paths)} checkpoints")
    status = 0
    for each in paths:
        try:
            opening.verify(each, comm)
            say(f"  {each.name}  whole")
        except DamagedError as error:
            say(f"  {each.name}  DAMAGED  {error}")
            status = 1
    return status


def _unknown(path, comm, say):
    raise InputError(f"{path}: neither a data file, nor a checkpoint, nor a run folder")


KINDS = {
    "hpcgen-data": _inspect_data,
    "samples": _inspect_data,
    format.FORMAT: _inspect_checkpoint,
    "unknown": _unknown,
}
