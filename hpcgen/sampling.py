"""Samples of a trained model: sample i of a seed is the same whoever makes it, and however many others are made."""

import io
from math import prod
from pathlib import Path

import numpy as np

from hpcgen import plots, storage
from hpcgen.checkpoint import load, newest
from hpcgen.errors import InputError
from hpcgen.models import MODELS
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
    return MODELS[options.kind](options, checkpoint.scale.shape)


def generate(model, theta, scale, seed, start, stop):
    """Return samples [start, stop) of `seed`, in the data's own interval and type (stop - start, *shape)."""
    first, last = start // BLOCK, -(-stop // BLOCK)
    with one_blas_thread():
        blocks = [
            scale.from_model(model.sample(theta, model.noise(stream(seed, Purpose.SAMPLE, block), BLOCK)), model.range)
            for block in range(first, last)
        ]
    samples = np.concatenate(blocks) if blocks else np.empty((0, *scale.shape), scale.dtype)
    return samples[start - first * BLOCK : stop - first * BLOCK]


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
    model, scale = model_of(state), state.scale
    for target, size in ((out, count * prod(scale.shape) * np.dtype(scale.dtype).itemsize), (png, 0)):
        if target:
            from_root(comm, storage.require_room, target, size)
    if write:
        shape = (count, *scale.shape)
        mine = storage.partition(shape, scale.dtype, comm.size).slice(comm.rank)
        local = generate(model, state.sampled, scale, seed, mine.start, mine.stop)
        write(Path(out), comm, storage.Slab(shape, mine.start, local), scale, f"{state.path.name}, seed {seed}")
        say(f"{out}: {count:,} samples of {' x '.join(map(str, scale.shape))}")
    if png:
        with agree(comm):
            if comm.rank == 0:
                shown = generate(model, state.sampled, scale, seed, 0, min(count, PICTURE))
                plots.save_picture(shown, png, scale.low, scale.high)
        say(f"{png}: a picture of {min(count, PICTURE)}")


def _writer(path):
    writers = {".h5": _write_hdf5, ".hdf5": _write_hdf5, ".npy": _write_npy}
    if Path(path).suffix not in writers:
        raise InputError(f"--out {path}: the name must end in .h5 or .npy")
    return writers[Path(path).suffix]


def _write_hdf5(path, comm, slab, scale, source):
    attributes = {
        "format": "hpcgen-data",
        "version": 1,
        "kind": scale.kind,
        "source": source,
        "low": scale.low,
        "high": scale.high,
    }
    storage.write(path, comm, attributes, {"samples": slab})


def _write_npy(path, comm, slab, scale, source):
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
