"""Describe and verify a file or a run, for `hpcgen inspect`."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.format import FORMAT
from hpcgen.checkpoints.loading import load
from hpcgen.checkpoints.opening import part_of_run, verify
from hpcgen.data import inspection as data
from hpcgen.data.writing import FORMAT as DATA_FORMAT
from hpcgen.errors import DamagedError, InputError, UnreadableError
from hpcgen.files import checksums
from hpcgen.files.reading import attempt, open_file, reread
from hpcgen.parallel.agreement import agree, from_root

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)


def inspect(path: Path, comm: "MPI.Comm") -> int:
    """Describe a data file, checkpoint or run folder in the log, and verify it.

    Return 0, or 1 if the file is damaged, or if a checkpoint of the run is damaged or cannot be read. The
    ranks divide the reading. Collective over `comm`. Raises InputError for a path that is none of these.
    """
    try:
        if from_root(comm, Path(path).is_dir):
            return _describe_run(path, comm)
        KINDS[from_root(comm, reread, path, partial(_kind, path))](path, comm)
    except DamagedError as error:
        logger.info("DAMAGED  %s", error)
        return 1
    return 0


def _kind(path: Path) -> str:
    with open_file(path) as file:
        # Attributes.get would hide a failure of the system.
        declares = attempt(path, "its attributes", lambda: "format" in file.attrs)
        declared = str(attempt(path, "its attributes", lambda: file.attrs["format"])) if declares else ""
        if declared in KINDS:
            return declared
        return "samples" if attempt(path, "its groups", lambda: "samples" in file) else "unknown"


def _describe_checkpoint(path: Path, comm: "MPI.Comm") -> None:
    checksums.verify(path, comm)
    with agree(comm):
        lines = list(_checkpoint_lines(path)) if comm.rank == 0 else []
    for line in lines:
        logger.info("%s", line)


def _checkpoint_lines(path: Path) -> Iterator[str]:
    state = load(path)
    attributes = state.attributes
    yield f"{path}: checkpoint after step {state.step:,}, seed {state.seed}"
    yield f"  model     {state.config.model.kind} {state.config.model.network}"
    yield f"  samples   {' x '.join(map(str, state.schema.shape))} {state.schema.dtype}, {state.schema.kind}"
    yield f"  lanes     {attributes['lanes']} of {attributes['lane_size']} samples"
    for player, vector in state.players.items():
        slots = ", ".join(state.optimizer[player]) or "without state"
        average = ", samples from the average" if player in state.averages else ""
        yield f"  {player}: {vector.layout.parameters.stop:,} parameters, optimizer {slots}{average}"
        width = max(map(len, vector))
        for name, shape in vector.layout.shapes.items():
            yield f"    {name:<{width}} {' x '.join(map(str, shape))}"
    for key, value in json.loads(attributes["environment"]).items():
        yield f"  {key:<9} {value}"
    yield "  whole: every checksum is correct"


def _describe_run(path: Path, comm: "MPI.Comm") -> int:
    """Verify every checkpoint of a run. Return 1 if one is damaged or cannot be read."""
    paths = from_root(comm, candidates, path)
    if not paths and not from_root(comm, (Path(path) / "config.toml").exists):
        _refuse(path, comm)
    logger.info("%s: run folder, checkpoints: %s", path, len(paths))
    status = 0
    for each in paths:
        try:
            with part_of_run(each):
                verify(each, comm)
            logger.info("  %s  whole", each.name)
        except (InputError, UnreadableError) as error:
            state = "DAMAGED" if isinstance(error, DamagedError) else "UNREADABLE"
            logger.info("  %s  %s  %s", each.name, state, error)
            status = 1
    return status


def _refuse(path: Path, comm: "MPI.Comm") -> NoReturn:
    raise InputError(f"{path}: neither a data file, nor a checkpoint, nor a run folder")


KINDS: dict[str, Callable[[Path, "MPI.Comm"], None]] = {
    DATA_FORMAT: data.describe,
    "samples": data.describe,
    FORMAT: _describe_checkpoint,
    "unknown": _refuse,
}
