"""Generate samples of a model, block by block."""

import numpy as np

from hpcgen.checkpoints.loading import Checkpoint
from hpcgen.data.schema import Schema
from hpcgen.models import MODELS
from hpcgen.models.model import Model, Theta
from hpcgen.runtime import one_blas_thread
from hpcgen.sampling.origins import SAMPLES_A_BLOCK, Origin


def model_of(checkpoint: Checkpoint) -> Model:
    """Return the model of a loaded checkpoint."""
    options = checkpoint.config.model
    return MODELS[options.kind](options, checkpoint.schema)


def generate(model: Model, theta: Theta, schema: Schema, origin: Origin, start: int, stop: int) -> np.ndarray:
    """Return samples [start, stop) of `origin`, (stop - start, *sample_shape).

    They have the interval and the type of the data.
    """
    first, last = start // SAMPLES_A_BLOCK, -(-stop // SAMPLES_A_BLOCK)
    with one_blas_thread():
        blocks = [model.generate(theta, origin.batch(block)) for block in range(first, last)]
    samples = np.concatenate(blocks) if blocks else np.empty((0, *schema.shape), schema.dtype)
    return samples[start - first * SAMPLES_A_BLOCK : stop - first * SAMPLES_A_BLOCK]
