"""Samples of a trained model: sample i of a seed is the same whoever makes it, and however many others are made."""

import io
from math import prod
from pathlib import Path

import numpy as np

from hpcgen import plots, storage
from hpcgen.checkpoint import load, newest
from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.runtime import one_blas_thread
from hpcgen.streams import Purpose, stream

# Samples are made in blocks, each from a stream of its own and in arrays of one shape.
BLOCK = 64
# The most samples that a picture shows.
PICTURE = 100


def model_of(checkpoint):
    """Return the model that a loaded checkpoint's parameters belong to."""
    options = checkpoint.config.model
    return MODELS[options.kind](options, checkpoint.schema)


def generate(model, theta, schema, seed, start, stop):
    """Return samples [start, stop) of `seed`, in the data's own interval and type (stop - start, *shape)."""
    first, last = start // BLOCK, -(-stop // BLOCK)
    with one_blas_thread():
        blocks = [model.units.decode(model.sample(theta, _batch(model, seed, block))) for block in range(first, last)]
    samples = np.concatenate(blocks) if blocks else np.empty((0, *schema.shape), schema.dtype)
    return samples[start - first * BLOCK : stop - first * BLOCK]


def _batch(model, seed, block):
    noise = model.noise(stream(seed, Purpose.SAMPLE, block), BLOCK)
    return Batch(BLOCK, noise=noise, random=lambda i: stream(seed, Purpose.SAMPLE, block, part=1 + i))


def sample(path, comm, count, seed, out=None, png=None, say=print, warn=print):
    """Draw `count` samples of the checkpoint `path` (or a run folder's newest) into `out` (.h5, .npy) and a picture `png`.

    Each rank makes its share; the files are the same at any number of ranks. Collective over `comm`. Raises InputError.
    """
    if out is None and png is None:
        raise InputError("sample: nothing to write; give --out F.h5, --out F.npy or --png F.png")
    write = _writer(out) if out else None
    path = from_root(comm, newest, path, warn)
    say(f"from {path}")
    with agree(comm):
        state = load(path, optimizer=False)
    model, schema = model_of(state), state.schema
    for target, size in ((out, count * prod(schema.shape) * np.dtype(schema.dtype).itemsize), (png, 0)):
        if target:
            from_root(comm, storage.require_room, target, size)
    if write:
        shape = (count, *schema.shape)
        mine = storage.partition(shape, schema.dtype, comm.size).slice(comm.rank)
        local = generate(model, state.sampled, schema, seed, mine.start, mine.stop)
        write(Path(out), comm, storage.Slab(shape, mine.start, local), schema, f"{state.path.name}, seed {seed}")
        say(f"{out}: {count:,} samples of {' x '.join(map(str, schema.shape))}")
    if png:
        with agree(comm):
            if comm.rank == 0:
                shown = generate(model, state.sampled, schema, seed, 0, min(count, PICTURE))
                plots.save_picture(shown, png, schema.low, schema.high)
        say(f"{png}: a picture of {min(count, PICTURE)}")


def _writer(path):
    writers = {".h5": _write_hdf5, ".hdf5": _write_hdf5, ".npy": _write_npy}
    if Path(path).suffix not in writers:
        raise InputError(f"--out {path}: the name must end in .h5 or .npy")
    return writers[Path(path).suffix]


def _write_hdf5(path, comm, slab, schema, source):
    attributes = {
        "format": "hpcgen-data",
        "version": 1,
        "kind": schema.kind,
        "source": source,
        "low": schema.low,
        "high": schema.high,
    }
    storage.write(path, comm, attributes, {"samples": slab})


def _write_npy(path, comm, slab, schema, source):
    with storage.replacing(path, comm, slab.local.dtype.itemsize * prod(slab.shape)) as temporary:
        header = io.BytesIO()
        np.lib.format.write_array_header_2_0(
            header, {"descr": slab.local.dtype.str, "fortran_order": False, "shape": slab.shape}
        )
        row = prod(slab.shape[1:]) * slab.local.dtype.itemsize
        with agree(comm), storage.refusals(path), open(temporary, "r+b") as file:
            if comm.rank == 0:
                file.write(header.getbuffer())
            file.seek(len(header.getbuffer()) + slab.start * row)
            file.write(np.ascontiguousarray(slab.local).data)
