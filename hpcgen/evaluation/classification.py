"""Measures of the labels that a classifier predicts, compared with guesses by frequency."""

import numpy as np

from hpcgen.arrays import to_host
from hpcgen.data.schema import Schema
from hpcgen.evaluation.measure import Measure, Measures, Subject
from hpcgen.models.classifier import Classifier
from hpcgen.models.model import Model, Theta
from hpcgen.nn.likelihoods import Categorical


class Classification(Measure):
    """The share of correct labels, and the cross entropy in nats, over all rows.

    The other column is a guess that uses only the frequency of each label in the data.
    """

    columns = ("model", "frequencies")

    @staticmethod
    def serves(model: Model, schema: Schema) -> bool:
        return isinstance(model, Classifier)

    def __init__(self, subject: Subject) -> None:
        assert isinstance(subject.model, Classifier)
        subject.reference.require("labels")
        self._subject, self._model = subject, subject.model
        self.about = f"{subject.reference.rows:,} rows"
        self.names = ["accuracy", "cross_entropy"]

    def measure(self, theta: Theta) -> Measures:
        model, reference = self._model, self._subject.reference

        def sums(block: slice) -> np.ndarray:
            """Return the number of correct labels, the summed cross entropy, and the count of each label."""
            rows = reference.read(block)
            logits = to_host(model.logits(theta, model.batch(len(rows), samples=rows.samples)))
            entropy = Categorical.terms(logits.astype(np.float64), rows.labels).sum()
            right = np.count_nonzero(logits.argmax(1) == rows.labels)
            return np.array([right, entropy, *np.bincount(rows.labels, minlength=model.classes)])

        summed = self._subject.work.total(reference.rows, sums, size=reference.rows_a_block)
        right, entropy, *counts = summed / reference.rows
        shares = np.array(counts)[np.array(counts) > 0]
        return {
            "accuracy": (float(right), float(shares.max())),
            "cross_entropy": (float(entropy), float(-(shares * np.log(shares)).sum())),
        }
