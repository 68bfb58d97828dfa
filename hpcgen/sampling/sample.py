"""Draw samples for `hpcgen sample`. The files have the same bytes at any number of ranks."""

import logging
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.arrays import shown
from hpcgen.checkpoints.loading import Checkpoint, load_together
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.files.replacing import require_target, require_unread
from hpcgen.parallel.agreement import PATIENCE_SECONDS, agree, from_root
from hpcgen.sampling import showing
from hpcgen.sampling.choosing import open_origin
from hpcgen.sampling.generation import drawing_model, generate
from hpcgen.sampling.options import SampleOptions
from hpcgen.sampling.origins import Origin
from hpcgen.sampling.shares import shares
from hpcgen.sampling.writers import require_path, require_writer, write

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)

# The most samples that are plotted or logged as text.
MOST_SHOWN = 100
# Default number of samples.
DEFAULT_COUNT = 64


def sample(path: Path | str, comm: "MPI.Comm", options: SampleOptions = SampleOptions()) -> None:
    """Draw samples from the checkpoint `path`, or from the newest checkpoint of the run folder `path`.

    Each rank generates its share of the samples for the file. Rank 0 generates the samples for the plot.
    Collective over `comm`. Raises InputError.
    """
    out, png = (Path(target) if target else None for target in (options.out, options.png))
    if out:
        require_writer(out)
    state = load_together(path, comm)
    schema = state.schema
    with ExitStack() as stack:
        with agree(comm):
            _require_output(out, png, schema)
        model = stack.enter_context(drawing_model(state, comm, options.count or DEFAULT_COUNT, options.space))
        with agree(comm):
            origin = open_origin(model, state, options, stack)
            count = _count(options.count, origin)
            if comm.rank == 0:
                _require_targets(state, options, count)
        logger.info("from %s", state.path)
        if out:
            slabs = shares(comm, model, state.sampled, schema, origin, count)
            write(out, comm, slabs, schema, f"{state.path.name}, seed {options.seed}")
            logger.info("%s: %s samples of %s", out, f"{count:,}", shown(schema.shape))
        if png or not out:
            plotted, samples = min(count, MOST_SHOWN), np.empty(0)
            space = 1 if model.team is None else model.team.comm.size
            with agree(comm, None if space == 1 else PATIENCE_SECONDS):
                if comm.rank < space:
                    samples = generate(model, state.sampled, schema, origin, 0, plotted)
            logger.info("%s", from_root(comm, _show, samples, origin, png, schema))


def _require_output(out: Path | None, png: Path | None, schema: Schema) -> None:
    """Raise InputError unless samples of this kind can be written to these files."""
    if out and out.suffix in showing.SAVERS:
        showing.check(out, schema, out.suffix)
    if png:
        showing.check(png, schema, ".png")
    if not (out or png or schema.kind == "text"):
        raise InputError("sample: nothing to write; give --out F.h5, --out F.npy or --png F.png")


def _require_targets(state: Checkpoint, options: SampleOptions, count: int) -> None:
    """Raise InputError if a target is also read, or cannot be written."""
    size = count * prod(state.schema.shape) * np.dtype(state.schema.dtype).itemsize
    if options.out:
        require_path(Path(options.out))
    for target, needed in ((options.out, size), (options.png, 0)):
        if target:
            require_unread(target, [state.path, options.inputs, options.reconstruct])
            require_target(target, needed)


def _count(asked: int | None, origin: Origin) -> int:
    """Return the number of samples to draw. Raise InputError if the origin has fewer."""
    if asked is None:
        return DEFAULT_COUNT if origin.rows is None else origin.rows
    if origin.rows is not None and asked > origin.rows:
        raise InputError(f"--count {asked}: the file gives {origin.rows} samples")
    return asked


def _show(samples: np.ndarray, origin: Origin, png: Path | None, schema: Schema) -> str:
    """Draw a plot of the samples. Return what is logged: the plot's path, or the samples as text."""
    plotted, samples = len(samples), origin.with_originals(samples)
    if png is None:
        return showing.texts(samples, schema)
    showing.save(samples, png, schema, ".png", origin.group)
    return f"{png}: a plot of {plotted}"
