"""Samples of a trained model: sample i of a seed is the same whoever makes it, and however many others are made."""

import io
from contextlib import ExitStack
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from hpcgen import showing, storage
from hpcgen.checkpoint import load, newest
from hpcgen.data.file import DataFiles, require_suitable
from hpcgen.data.sources.array import Array
from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.models.latent import Autoencoder
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.runtime import one_blas_thread
from hpcgen.streams import Purpose, stream

# Samples are made in blocks, each from a stream of its own and in arrays of one shape.
BLOCK = 64
# The most samples that a picture shows, and that text is printed of.
PICTURE = 100


def model_of(checkpoint):
    """Return the model that a loaded checkpoint's parameters belong to."""
    options = checkpoint.config.model
    return MODELS[options.kind](options, checkpoint.schema)


class Prior:
    """Samples from the noise of `seed`; those of a conditional model for `label`, or for all labels in turn."""

    def __init__(self, model, seed, label=None):
        self._model, self._seed, self._label = model, seed, label

    def batch(self, block):
        labels = self._labels(block * BLOCK, (block + 1) * BLOCK) if self._model.classes else None
        return Batch(BLOCK, noise=self.codes(block), labels=labels, random=self._random(block))

    def columns(self):
        """Return what a data file holds beside the samples: {name: rows(start, stop)}."""
        return {"labels": self._labels} if self._model.classes else {}

    def _labels(self, start, stop):
        rows = np.arange(start, stop)
        return rows % self._model.classes if self._label is None else np.full_like(rows, self._label)

    def codes(self, block):
        """Return the numbers that the block's samples are made from."""
        return self._model.noise(stream(self._seed, Purpose.SAMPLE, block), BLOCK)

    def _random(self, block):
        return lambda i: stream(self._seed, Purpose.SAMPLE, block, part=1 + i)


class Conditioned(Prior):
    """Samples for given inputs, row by row."""

    def __init__(self, model, seed, source):
        super().__init__(model, seed)
        self._source = source

    def batch(self, block):
        inputs = _padded(self._source.read(*_inside(block, self._source.rows)).samples)
        noise = self.codes(block)
        return Batch(BLOCK, noise=noise, inputs=self._model.input_units.encode(inputs), random=self._random(block))

    def columns(self):
        return {"inputs": lambda start, stop: self._source.read(start, stop).samples}


class Decoded:
    """Samples of codes that were not drawn: the most likely ones."""

    def batch(self, block):
        return Batch(BLOCK, noise=self.codes(block), random=None)

    def columns(self):
        return {}


class Reconstruction(Decoded):
    """The most likely samples for the posterior's means of a data file's rows."""

    def __init__(self, model, theta, files):
        self._model, self._theta, self._files = model, theta, files

    def codes(self, block):
        return self._model.codes(self._theta, self._model.units.encode(self.originals(block)))[0]

    def originals(self, block):
        return _padded(self._files.read(*_inside(block, self._files.rows), ("samples",)).samples)


class Interpolation(Decoded):
    """`steps` samples from each code of `ends` to the next, both included, along the great circle (White 2016,
    arXiv:1609.04468)."""

    def __init__(self, ends, steps):
        self._ends, self._steps = ends, steps

    def codes(self, block):
        rows = np.arange(block * BLOCK, (block + 1) * BLOCK)
        first, share = rows // self._steps, rows % self._steps / (self._steps - 1)
        blocks = range(first[0] // BLOCK, (first[-1] + 1) // BLOCK + 1)
        codes = np.concatenate([self._ends.codes(b) for b in blocks])
        start = first - blocks[0] * BLOCK
        return _between(codes[start], codes[start + 1], share[:, None])


def _between(a, b, share):
    a, b = a.astype(np.float64), b.astype(np.float64)
    cosine = (a * b).sum(1, keepdims=True) / np.sqrt((a * a).sum(1, keepdims=True) * (b * b).sum(1, keepdims=True))
    angle = np.arccos(cosine.clip(-1, 1))
    straight = np.sin(angle) < 1e-6
    sine = np.where(straight, 1, np.sin(angle))
    left = np.where(straight, 1 - share, np.sin((1 - share) * angle) / sine)
    right = np.where(straight, share, np.sin(share * angle) / sine)
    return (left * a + right * b).astype(np.float32)


def _inside(block, rows):
    return min(block * BLOCK, rows), min((block + 1) * BLOCK, rows)


def _padded(rows):
    """Return BLOCK rows, zeros at the end."""
    return np.concatenate([rows, np.zeros((BLOCK - len(rows), *rows.shape[1:]), rows.dtype)])


def generate(model, theta, schema, origin, start, stop):
    """Return samples [start, stop) of `origin` (a `Prior`, ...), in the data's own interval and type (stop - start, *shape)."""
    first, last = start // BLOCK, -(-stop // BLOCK)
    with one_blas_thread():
        blocks = [model.units.decode(model.sample(theta, origin.batch(block))) for block in range(first, last)]
    samples = np.concatenate(blocks) if blocks else np.empty((0, *schema.shape), schema.dtype)
    return samples[start - first * BLOCK : stop - first * BLOCK]


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
    path = from_root(comm, newest, path, warn)
    say(f"from {path}")
    with ExitStack() as stack:
        with agree(comm):
            state = load(path, optimizer=False)
            model, schema, theta = model_of(state), state.schema, state.sampled
            shown = out is None and png is None and schema.kind == "text"
            if out is None and png is None and not shown:
                raise InputError("sample: nothing to write; give --out F.h5, --out F.npy or --png F.png")
            write = _writer(out, schema) if out else None
            if png:
                showing.check(Path(png).with_suffix(".png"), schema)
            asked = {"label": label, "inputs": inputs, "reconstruct": reconstruct, "interpolate": interpolate}
            origin, rows = _origin(model, theta, state, seed, stack, **asked)
            count = (64 if rows is None else rows) if count is None else count
            if rows is not None and count > rows:
                raise InputError(f"--count {count}: the file has {rows} rows")
        for target, size in ((out, count * prod(schema.shape) * np.dtype(schema.dtype).itemsize), (png, 0)):
            if target:
                from_root(comm, storage.require_room, target, size)
        if write:
            columns = {"samples": partial(generate, model, theta, schema, origin), **origin.columns()}
            with agree(comm):
                slabs = {name: _slab(comm, count, rows) for name, rows in columns.items()}
            write(Path(out), comm, slabs, schema, f"{path.name}, seed {seed}")
            say(f"{out}: {count:,} samples of {' x '.join(map(str, schema.shape))}")
        if png or shown:
            some = min(count, PICTURE)
            with agree(comm):
                if comm.rank == 0:
                    samples = _beside_originals(generate(model, theta, schema, origin, 0, some), origin)
                    if png:
                        showing.save(samples, Path(png), schema)
                    else:
                        say(showing.texts(samples, schema))
            if png:
                say(f"{png}: a picture of {some}")


def _origin(model, theta, state, seed, stack, label, inputs, reconstruct, interpolate):
    """Return what samples are made from, and its number of rows or None. Raises InputError."""
    kind = state.config.model.kind
    if model.source is None:
        raise InputError(f"{state.path}: a {kind} draws no samples; 'hpcgen evaluate' takes it as --features")
    if (inputs is None) != (model.source != "inputs"):
        remedy = "needs --inputs FILE" if inputs is None else "takes no --inputs"
        raise InputError(f"{state.path}: model.kind = {kind} {remedy}")
    if label is not None and label >= model.classes:
        known = f"has labels 0 to {model.classes - 1}" if model.classes else "is not conditional"
        raise InputError(f"--label {label}: the model {known}")
    if (reconstruct or interpolate) and not isinstance(model, Autoencoder):
        raise InputError(f"{state.path}: model.kind = {kind} encodes nothing; --reconstruct and --interpolate need vae or rvae")
    origin, rows = Prior(model, seed, label), None
    if inputs:
        source = Array(inputs, "inputs" if Path(inputs).suffix in (".h5", ".hdf5") else None)
        if source.shape != (len(state.schema.inputs),):
            raise InputError(f"{inputs}: rows of {source.shape} numbers, not {len(state.schema.inputs)} as the model takes")
        origin, rows = Conditioned(model, seed, source), source.rows
    if reconstruct:
        files = stack.enter_context(DataFiles([str(reconstruct)]))
        require_suitable(reconstruct, files, state.schema, state.path)
        origin, rows = Reconstruction(model, theta, files), files.rows
    if interpolate:
        origin, rows = Interpolation(origin, interpolate), None if rows is None else (rows - 1) * interpolate
    return origin, rows


def _slab(comm, count, rows):
    """Return this rank's share of the `count` rows that rows(start, stop) makes."""
    none = rows(0, 0)
    shape = (count, *none.shape[1:])
    mine = storage.partition(shape, none.dtype, comm.size).slice(comm.rank)
    return storage.Slab(shape, mine.start, rows(mine.start, mine.stop))


def _beside_originals(samples, origin):
    """Return reconstructions each after its original, others as they are."""
    if not isinstance(origin, Reconstruction):
        return samples
    originals = np.concatenate([origin.originals(block) for block in range(-(-len(samples) // BLOCK))])[: len(samples)]
    return np.stack([originals, samples], axis=1).reshape(-1, *samples.shape[1:])


def _writer(path, schema):
    suffix = Path(path).suffix
    if suffix not in WRITERS:
        raise InputError(f"--out {path}: the name must end in .h5, .npy, .txt (text) or .wav (audio)")
    if suffix in (".txt", ".wav"):
        showing.check(path, schema)
    return WRITERS[suffix]


def _write_hdf5(path, comm, slabs, schema, source):
    attributes = {
        "format": "hpcgen-data",
        "version": 1,
        "kind": schema.kind,
        "source": source,
        "low": schema.low,
        "high": schema.high,
        "rate": schema.rate,
        "units": schema.units,
    }
    if schema.vocabulary:
        slabs = {**slabs, "vocabulary": storage.Slab.replicated(schema.code_points, comm)}
    storage.write(path, comm, attributes, slabs)


def _write_npy(path, comm, slabs, schema, source):
    slab = slabs["samples"]
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


def _write_shown(path, comm, slabs, schema, source):
    parts = comm.gather(slabs["samples"].local)
    with agree(comm), storage.refusals(path):
        if comm.rank == 0:
            showing.save(np.concatenate(parts), path, schema)


WRITERS = {".h5": _write_hdf5, ".hdf5": _write_hdf5, ".npy": _write_npy, ".txt": _write_shown, ".wav": _write_shown}
