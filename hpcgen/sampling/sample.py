"""`hpcgen sample`: samples of a checkpoint in files, the same bytes at any number of ranks."""

import logging
from contextlib import ExitStack
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.checkpoints.loading import Checkpoint, load_together
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.files.replacing import require_target, require_unread
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.sampling import showing
from hpcgen.sampling.choosing import open_origin
from hpcgen.sampling.generation import generate, model_of
from hpcgen.sampling.options import SampleOptions
from hpcgen.sampling.origins import Origin, RowsOf
from hpcgen.sampling.writers import require_path, require_writer, write

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)

# The most samples that a plot shows, and that are logged as text.
MOST_SHOWN = 100
# Samples that are drawn unless a number is asked for.
DEFAULT_COUNT = 64


def sample(path: Path | str, comm: "MPI.Comm", options: SampleOptions = SampleOptions()) -> None:
    """Draw samples of the checkpoint `path`, or of a run folder's newest one.

    Each rank makes its share of the samples that are written. Rank 0 makes those that are shown. Collective
    over `comm`. Raises InputError.
    """
    out, png = (Path(target) if target else None for target in (options.out, options.png))
    if out:
        require_writer(out)
    state = load_together(path, comm)
    schema = state.schema
    with ExitStack() as stack:
        with agree(comm):
            _require_output(out, png, schema)
            model = model_of(state)
            origin = open_origin(model, state, options, stack)
            count = _count(options.count, origin)
            _require_targets(state, options, count, comm.rank == 0)
        logger.info("from %s", state.path)
        made = partial(generate, model, state.sampled, schema, origin)
        if out:
            columns: dict[str, RowsOf] = {"samples": made, **origin.columns()}
            write(out, comm, columns, count, schema, f"{state.path.name}, seed {options.seed}")
            logger.info("%s: %s samples of %s", out, f"{count:,}", " x ".join(map(str, schema.shape)))
        if png or not out:
            shown = min(count, MOST_SHOWN)
            logger.info("%s", from_root(comm, _show, made, shown, origin, png, schema))


def _require_output(out: Path | None, png: Path | None, schema: Schema) -> None:
    """Raise InputError unless samples of this kind can go where they are asked for."""
    if out and out.suffix in showing.SAVERS:
        showing.check(out, schema, out.suffix)
    if png:
        showing.check(png, schema, ".png")
    if not (out or png or schema.kind == "text"):
        raise InputError("sample: nothing to write; give --out F.h5, --out F.npy or --png F.png")


def _require_targets(state: Checkpoint, options: SampleOptions, count: int, writes: bool) -> None:
    """Raise InputError if a target is read too. With `writes`, also require that the targets can be made."""
    size = count * prod(state.schema.shape) * np.dtype(state.schema.dtype).itemsize
    if options.out and writes:
        require_path(Path(options.out))
    for target, needed in ((options.out, size), (options.png, 0)):
        if target:
            require_unread(target, [state.path, options.inputs, options.reconstruct])
            if writes:
                require_target(target, needed)


def _count(asked: int | None, origin: Origin) -> int:
    """Return how many samples are drawn. Raise InputError if the origin has fewer than are asked for."""
    if asked is None:
        return DEFAULT_COUNT if origin.rows is None else origin.rows
    if origin.rows is not None and asked > origin.rows:
        raise InputError(f"--count {asked}: the file gives {origin.rows} samples")
    return asked


def _show(made: RowsOf, shown: int, origin: Origin, png: Path | None, schema: Schema) -> str:
    """Draw a plot of the first samples. Return what is logged: the plot's path, or the samples as text."""
    samples = origin.with_originals(made(0, shown))
    if png is None:
        return showing.texts(samples, schema)
    showing.save(samples, png, schema, ".png", origin.group)
    return f"{png}: a plot of {shown}"
