"""Features of samples, taken from a classifier that hpcgen trained."""

import numpy as np

from hpcgen.arrays import to_host
from hpcgen.checkpoints.loading import Checkpoint
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.models.classifier import Classifier
from hpcgen.sampling.generation import model_of


class Features:
    """The last hidden layer of a classifier. Raises InputError if the checkpoint holds no classifier."""

    def __init__(self, state: Checkpoint) -> None:
        model = model_of(state)
        if not isinstance(model, Classifier):
            raise InputError(f'{state.path}: --features needs a checkpoint of model.kind = "classifier"')
        self._model, self._theta, self._schema, self.path = model, state.sampled, state.schema, state.path

    def require(self, schema: Schema) -> None:
        """Raise InputError unless the classifier was trained on samples of this shape and type."""
        if (self._schema.shape, self._schema.dtype) != (schema.shape, schema.dtype):
            raise InputError(f"{self.path}: was trained on samples of another shape or type")

    @property
    def width(self) -> int:
        """The number of features of a sample."""
        return self.of(np.zeros((1, *self._schema.shape), self._schema.dtype)).shape[1]

    def of(self, samples: np.ndarray) -> np.ndarray:
        """Return the features (n, width) of samples (n, *sample_shape) of a data file."""
        batch = self._model.batch(len(samples), samples=samples)
        return to_host(self._model.features(self._theta, batch))
