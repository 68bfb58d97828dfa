"""`hpcgen sample`: samples of a checkpoint in files, the same at any number of ranks."""

import io
from contextlib import ExitStack
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from hpcgen.checkpoints.folder import newest
from hpcgen.checkpoints.loading import load
from hpcgen.data.file import DataFiles, require_suitable
from hpcgen.data.prepare import value_range
from hpcgen.data.sources.array import Array
from hpcgen.errors import InputError
from hpcgen.files import writing
from hpcgen.files.replacing import refusals, replacing, require_room, require_unread
from hpcgen.files.slabs import Slab, partition
from hpcgen.models.latent import Autoencoder
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.sampling import showing
from hpcgen.sampling.origins import (
    BLOCK,
    Conditioned,
    Interpolation,
    Prior,
    Reconstruction,
    generate,
    model_of,
)

# The most samples that a picture shows, and that text is printed of.
PICTURE = 100


def sample(
    path,
    comm,
    count=None,
    seed=0,
    out=None,
    png=None,
    label=None,
    inputs=None,
    reconstruct=None,
    interpolate=None,
    say=print,
    warn=print,
):
    """Draw `count` samples of the checkpoint `path` (or a run folder's newest) into `out` (.h5, .npy, .txt, .wav) and a picture
    `png`; text without either is told to `say`.

    A conditional model draws them for `label` (None: all in turn), one of inputs for the rows of the file `inputs`. For
    autoencoders `reconstruct` names a data file whose rows are encoded and decoded, and `interpolate` gives the number of
    samples between two codes. Each rank makes its share; the files are the same at any number of ranks. Collective over `comm`.
    Raises InputError.
    """
    if out and Path(out).suffix not in WRITERS:
        raise InputError(f"--out {out}: the name must end in .h5, .npy, .txt (text) or .wav (audio)")
    path = from_root(comm, newest, path, warn)
    with ExitStack() as stack:
        with agree(comm):
            state = load(path, optimizer=False)
            schema = state.schema
            _require_output(out, png, schema)
            for target in filter(None, (out, png)):
                require_unread(target, (path, inputs, reconstruct))
            origin, rows = _origin(state, seed, stack, label, inputs, reconstruct, interpolate)
            count = (64 if rows is None else rows) if count is None else count
            if rows is not None and count > rows:
                raise InputError(f"--count {count}: the file gives {rows} samples")
        say(f"from {path}")
        made = partial(generate, model_of(state), state.sampled, schema, origin)
        for target, size in ((out, count * prod(schema.shape) * np.dtype(schema.dtype).itemsize), (png, 0)):
            if target:
                from_root(comm, require_room, target, size)
        if out:
            with agree(comm):
                slabs = {
                    name: _slab(comm, count, rows)
                    for name, rows in {"samples": made, **origin.columns()}.items()
                }
            WRITERS[Path(out).suffix](Path(out), comm, slabs, schema, f"{path.name}, seed {seed}")
            say(f"{out}: {count:,} samples of {' x '.join(map(str, schema.shape))}")
        if png or not out:
            some = min(count, PICTURE)
            with agree(comm):
                if comm.rank == 0:
                    samples = _beside_originals(made(0, some), origin)
                    if png:
                        showing.save(samples, png, schema, ".png", origin.group)
                    else:
                        say(showing.texts(samples, schema))
            if png:
                say(f"{png}: a picture of {some}")


def _require_output(out, png, schema):
    if out and Path(out).suffix in showing.SAVERS:
        showing.check(out, schema, Path(out).suffix)
    if png:
        showing.check(png, schema, ".png")
    if not (out or png or schema.kind == "text"):
        raise InputError("sample: nothing to write; give --out F.h5, --out F.npy or --png F.png")


def _origin(state, seed, stack, label, inputs, reconstruct, interpolate):
    """Return what samples are made from, and its number of rows or None; files are closed with `stack`. Raises InputError."""
    model, kind = model_of(state), state.config.model.kind
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
            f"{state.path}: model.kind = {kind} encodes nothing; --reconstruct and --interpolate need vae or rvae"
        )
    origin, rows = Prior(model, seed, label), None
    if inputs:
        source = Array(inputs, "inputs" if Path(inputs).suffix in (".h5", ".hdf5") else None)
        if source.shape != (len(state.schema.inputs),):
            raise InputError(
                f"{inputs}: rows of {source.shape} numbers, not {len(state.schema.inputs)} as the model takes"
            )
        origin, rows = Conditioned(model, seed, source), _some(inputs, source.rows)
    if reconstruct:
        files = stack.enter_context(DataFiles([str(reconstruct)]))
        require_suitable(reconstruct, files, state.schema, state.path)
        origin, rows = Reconstruction(model, state.sampled, files), _some(reconstruct, files.rows)
    if interpolate:
        origin = Interpolation(origin, interpolate)
        rows = None if rows is None else interpolate * (_some(reconstruct, rows, 2) - 1)
    return origin, rows


def _some(path, rows, least=1):
    """Return the number of rows of a file; raise InputError if it has fewer than `least`."""
    if rows < least:
        raise InputError(f"{path}: {rows} rows; {least} or more are needed")
    return rows


def _slab(comm, count, rows):
    """Return this rank's share of the `count` rows that rows(start, stop) makes."""
    none = rows(0, 0)
    shape = (count, *none.shape[1:])
    mine = partition(shape, none.dtype, comm.size).slice(comm.rank)
    return Slab(shape, mine.start, rows(mine.start, mine.stop))


def _beside_originals(samples, origin):
    """Return reconstructions each after its original, others as they are."""
    if not isinstance(origin, Reconstruction):
        return samples
    originals = np.concatenate([origin.originals(block) for block in range(-(-len(samples) // BLOCK))])[
        : len(samples)
    ]
    return np.stack([originals, samples], axis=1).reshape(-1, *samples.shape[1:])


def _write_hdf5(path, comm, slabs, schema, source):
    samples, low, high = slabs["samples"].local, schema.low, schema.high
    if samples.dtype == np.float32:
        # A model may leave the interval of its data; one that the file declares holds all.
        least, most = value_range(comm, samples)
        low, high = min(low, least), max(high, most)
    attributes = {
        "format": "hpcgen-data",
        "version": 1,
        "kind": schema.kind,
        "source": source,
        "low": low,
        "high": high,
    }
    attributes |= {"rate": schema.rate} if schema.kind == "audio" else {}
    if schema.vocabulary:
        attributes |= {"units": schema.units}
        slabs = {**slabs, "vocabulary": Slab.replicated(schema.code_points, comm)}
    writing.write(path, comm, attributes, slabs)


def _write_npy(path, comm, slabs, schema, source):
    slab = slabs["samples"]
    with replacing(path, comm, slab.local.dtype.itemsize * prod(slab.shape)) as temporary:
        header = io.BytesIO()
        np.lib.format.write_array_header_2_0(
            header, {"descr": slab.local.dtype.str, "fortran_order": False, "shape": slab.shape}
        )
        row = prod(slab.shape[1:]) * slab.local.dtype.itemsize
        with agree(comm), refusals(path), open(temporary, "r+b") as file:
            if comm.rank == 0:
                file.write(header.getbuffer())
            file.seek(len(header.getbuffer()) + slab.start * row)
            file.write(np.ascontiguousarray(slab.local).data)


def _write_shown(path, comm, slabs, schema, source):
    parts = comm.gather(slabs["samples"].local)
    with agree(comm), refusals(path):
        if comm.rank == 0:
            showing.save(np.concatenate(parts), path, schema, path.suffix)


WRITERS = {
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
    ".npy": _write_npy,
    ".txt": _write_shown,
    ".wav": _write_shown,
}
