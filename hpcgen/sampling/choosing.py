"""Choose the origin of samples from the options of `hpcgen sample`, and check that the model supports it."""

from contextlib import ExitStack
from pathlib import Path

from hpcgen.checkpoints.loading import Checkpoint
from hpcgen.data.reading import DataFiles, require_suitable
from hpcgen.data.sources.array import Array
from hpcgen.errors import InputError
from hpcgen.models.latent import Autoencoder
from hpcgen.models.model import Model
from hpcgen.models.units import require_inputs
from hpcgen.sampling.codes import Interpolation, Reconstruction
from hpcgen.sampling.options import SampleOptions
from hpcgen.sampling.origins import Conditioned, Origin, Prior


def open_origin(model: Model, state: Checkpoint, options: SampleOptions, stack: ExitStack) -> Origin:
    """Return the Origin that the options select. Its files are closed with `stack`.

    Raises InputError if the model of the checkpoint `state` does not support it.
    """
    _require_use(model, state, options)
    if options.reconstruct or options.interpolate:
        return _coded(_autoencoder(model, state), state, options, stack)
    if options.inputs:
        return _conditioned(model, state, options.inputs, options.seed)
    return Prior(model, options.seed, options.label)


def _require_use(model: Model, state: Checkpoint, options: SampleOptions) -> None:
    """Raise InputError unless the model draws samples, and the inputs and labels suit the model."""
    kind = state.config.model.kind
    if model.source is None:
        raise InputError(f"{state.path}: a {kind} draws no samples; use it in 'hpcgen evaluate --features'")
    if model.source == "inputs" and options.inputs is None:
        raise InputError(f"{state.path}: model.kind = {kind} needs --inputs FILE")
    if model.source != "inputs" and options.inputs is not None:
        raise InputError(f"{state.path}: model.kind = {kind} does not use --inputs; leave it out")
    if options.label is not None and options.label >= model.classes:
        known = f"has labels 0 to {model.classes - 1}" if model.classes else "is not conditional"
        raise InputError(f"--label {options.label}: the model {known}")


def _conditioned(model: Model, state: Checkpoint, path: Path, seed: int) -> Origin:
    columns, _ = require_inputs(state.schema, state.config.model.kind)
    source = Array(path, "inputs" if Path(path).suffix in (".h5", ".hdf5") else None)
    if source.shape != (len(columns),):
        raise InputError(f"{path}: rows of {source.shape} numbers, but the model needs {len(columns)}")
    _require_rows(path, source.rows, 1)
    return Conditioned(model, seed, source)


def _autoencoder(model: Model, state: Checkpoint) -> Autoencoder:
    if isinstance(model, Autoencoder):
        return model
    raise InputError(
        f"{state.path}: model.kind = {state.config.model.kind} has no encoder; "
        "--reconstruct and --interpolate need vae or rvae"
    )


def _coded(model: Autoencoder, state: Checkpoint, options: SampleOptions, stack: ExitStack) -> Origin:
    """Return the origin of samples that are decoded from the codes of a data file or of a seed."""
    ends: Origin = Prior(model, options.seed)
    if options.reconstruct:
        files = stack.enter_context(DataFiles([options.reconstruct]))
        require_suitable(options.reconstruct, files, state.schema, state.path)
        ends = Reconstruction(model, state.sampled, files)
        _require_rows(options.reconstruct, files.rows, 2 if options.interpolate else 1)
    return Interpolation(ends, options.interpolate) if options.interpolate else ends


def _require_rows(path: Path, rows: int, needed: int) -> None:
    """Raise InputError if the file `path` has fewer rows than needed."""
    if rows < needed:
        raise InputError(f"{path}: {rows} rows; {needed} or more are needed")
