"""`hpcgen sample`: samples of a checkpoint in files, the same at any number of ranks."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.checkpoints.loading import Checkpoint, load_together
from hpcgen.data.reading import DataFiles, require_suitable
from hpcgen.data.schema import Schema
from hpcgen.data.sources.array import Array
from hpcgen.errors import InputError
from hpcgen.files.replacing import require_room, require_unread
from hpcgen.files.slabs import Slab, partition
from hpcgen.models.latent import Autoencoder
from hpcgen.models.units import require_inputs
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.sampling import showing
from hpcgen.sampling.origins import (
    SAMPLES_A_BLOCK,
    Conditioned,
    Interpolation,
    Origin,
    Prior,
    Reconstruction,
    generate,
    model_of,
)
from hpcgen.sampling.writers import WRITERS

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)

# The most samples that a picture shows, and that are printed as text.
MOST_SHOWN = 100
# Samples that are drawn unless a number is asked for.
DEFAULT_COUNT = 64


@dataclass(frozen=True)
class SampleOptions:
    """What is drawn, and where it goes.

    `count` samples (None: 64, or as many as the given file has rows) go into `out` (.h5, .npy, .txt, .wav)
    and a picture `png`. Text without either is logged. A conditional model draws them for `label` (None: all
    in turn), a model of inputs for the rows of the file `inputs`. For autoencoders `reconstruct` names a data
    file whose rows are encoded and decoded, and `interpolate` is the number of samples from each code to the
    next.
    """

    count: int | None = None
    seed: int = 0
    out: Path | None = None
    png: Path | None = None
    label: int | None = None
    inputs: Path | None = None
    reconstruct: Path | None = None
    interpolate: int | None = None


def sample(
    path: Path | str,
    comm: "MPI.Comm",
    options: SampleOptions = SampleOptions(),
) -> None:
    """Draw samples of the checkpoint `path`, or of a run folder's newest.

    Each rank makes its share. The files are the same at any number of ranks. Collective over `comm`. Raises
    InputError.
    """
    out, png = (Path(target) if target else None for target in (options.out, options.png))
    if out and out.suffix not in WRITERS:
        raise InputError(f"--out {out}: the name must end in .h5, .npy, .txt (text) or .wav (audio)")
    targets = [target for target in (out, png) if target]
    state = load_together(path, comm)
    schema = state.schema
    with ExitStack() as stack:
        with agree(comm):
            _require_output(out, png, schema)
            for target in targets:
                require_unread(target, [state.path, options.inputs, options.reconstruct])
            origin, rows = _origin(state, options, stack)
            count = _count(options.count, rows)
            size = count * prod(schema.shape) * np.dtype(schema.dtype).itemsize
            if comm.rank == 0:
                for target in targets:
                    require_room(target, size if target == out else 0)
        logger.info("from %s", state.path)
        made = partial(generate, model_of(state), state.sampled, schema, origin)
        if out:
            with agree(comm):
                columns = {"samples": made, **origin.columns()}
                slabs = {name: _slab(comm, count, rows_of) for name, rows_of in columns.items()}
            WRITERS[out.suffix](out, comm, slabs, schema, f"{state.path.name}, seed {options.seed}")
            logger.info("%s: %s samples of %s", out, f"{count:,}", " x ".join(map(str, schema.shape)))
        if png or not out:
            shown = min(count, MOST_SHOWN)
            text = from_root(comm, _show, made, shown, origin, png, schema)
            logger.info("%s", f"{png}: a picture of {shown}" if png else text)


def _show(made, shown, origin, png, schema):
    """Draw a picture of the first samples, or return them as text."""
    samples = _beside_originals(made(0, shown), origin)
    if png is None:
        return showing.texts(samples, schema)
    showing.save(samples, png, schema, ".png", origin.group)
    return None


def _count(asked: int | None, rows: int | None) -> int:
    """Return how many samples are drawn, where a file gives `rows` or None does."""
    count = (DEFAULT_COUNT if rows is None else rows) if asked is None else asked
    if rows is not None and count > rows:
        raise InputError(f"--count {count}: the file gives {rows} samples")
    return count


def _require_output(out: Path | None, png: Path | None, schema: Schema) -> None:
    if out and out.suffix in showing.SAVERS:
        showing.check(out, schema, out.suffix)
    if png:
        showing.check(png, schema, ".png")
    if not (out or png or schema.kind == "text"):
        raise InputError("sample: nothing to write; give --out F.h5, --out F.npy or --png F.png")


def _origin(state: Checkpoint, options: SampleOptions, stack: ExitStack) -> tuple[Origin, int | None]:
    """Return what samples are made from, and its number of rows or None; files are closed with `stack`.
    Raises InputError."""
    model, kind, seed = model_of(state), state.config.model.kind, options.seed
    label, inputs = options.label, options.inputs
    reconstruct, interpolate = options.reconstruct, options.interpolate
    if model.source is None:
        raise InputError(f"{state.path}: a {kind} draws no samples; 'hpcgen evaluate' takes it as --features")
    if (inputs is None) != (model.source != "inputs"):
        remedy = "needs --inputs FILE" if inputs is None else "takes no --inputs"
        raise InputError(f"{state.path}: model.kind = {kind} {remedy}")
    if label is not None and label >= model.classes:
        known = f"has labels 0 to {model.classes - 1}" if model.classes else "is not conditional"
        raise InputError(f"--label {label}: the model {known}")
    if (reconstruct or interpolate) and not isinstance(model, Autoencoder):
        raise InputError(
            f"{state.path}: model.kind = {kind} encodes nothing; --reconstruct and --interpolate need "
            "vae or rvae"
        )
    origin: Origin = Prior(model, seed, label)
    rows: int | None = None
    if inputs:
        source = Array(inputs, "inputs" if Path(inputs).suffix in (".h5", ".hdf5") else None)
        columns, _ = require_inputs(state.schema, kind)
        if source.shape != (len(columns),):
            raise InputError(
                f"{inputs}: rows of {source.shape} numbers, not {len(columns)} as the model takes"
            )
        origin, rows = Conditioned(model, seed, source), _at_least(inputs, source.rows)
    if reconstruct:
        files = stack.enter_context(DataFiles([str(reconstruct)]))
        require_suitable(reconstruct, files, state.schema, state.path)
        origin, rows = Reconstruction(model, state.sampled, files), _at_least(reconstruct, files.rows)
    if interpolate:
        origin = Interpolation(origin, interpolate)
        rows = None if rows is None else interpolate * (_at_least(reconstruct, rows, 2) - 1)
    return origin, rows


def _at_least(path, rows, least=1):
    """Return the number of rows of a file; raise InputError if it has fewer than `least`."""
    if rows < least:
        raise InputError(f"{path}: {rows} rows; {least} or more are needed")
    return rows


def _slab(comm, count, rows):
    """Return this rank's share of the `count` rows that rows(start, stop) makes."""
    none = rows(0, 0)
    shape = (count, *none.shape[1:])
    mine = partition(shape, none.dtype, comm.size).slice(comm.rank)
    return Slab.rows(shape, mine.start, rows(mine.start, mine.stop))


def _beside_originals(samples, origin):
    """Return reconstructions each after its original, others as they are."""
    if not isinstance(origin, Reconstruction):
        return samples
    originals = np.concatenate(
        [origin.originals(block) for block in range(-(-len(samples) // SAMPLES_A_BLOCK))]
    )[: len(samples)]
    return np.stack([originals, samples], axis=1).reshape(-1, *samples.shape[1:])
