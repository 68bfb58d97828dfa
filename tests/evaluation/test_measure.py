"""The subject of a measure. A new measure needs no change except its registration."""

import numpy as np
from mpi4py import MPI

from hpcgen.checkpoints.loading import load_together
from hpcgen.data.reading import DataFiles
from hpcgen.evaluation import evaluation
from hpcgen.evaluation.evaluation import Evaluation
from hpcgen.evaluation.measure import Measure
from hpcgen.sampling.generation import generate, model_of
from hpcgen.sampling.origins import Prior


class Mean(Measure):
    """A measure of any model: the mean of what it draws, beside that of the data."""

    columns = ("generated", "real data")
    draws = True

    @staticmethod
    def serves(model, schema):
        return True

    def __init__(self, subject):
        self._subject, self.names, self.about = subject, ["mean"], "all samples"
        self._real = self._mean(subject.reference.even)

    def _mean(self, samples):
        count = self._subject.reference.count
        parts = self._subject.work.each(count, lambda b: samples(b.start, b.stop).sum(dtype=np.float64))
        return float(sum(parts))

    def measure(self, theta):
        return {"mean": (self._mean(lambda a, b: self._subject.generated(theta, a, b)), self._real)}


def test_a_new_measure_is_a_class_and_its_registration(comm, trained, monkeypatch):
    monkeypatch.setattr(evaluation, "MEASURES", (Mean,))
    path, data = trained("gan")
    state = load_together(path, comm)
    found = []
    for each in (comm, MPI.COMM_SELF):
        with DataFiles([data]) as files:
            made = Evaluation(model_of(state), state.schema, files, each, 300)
            assert (made.names, made.about) == (["mean"], "all samples")
            found.append(made.measures(state.sampled))
            made.close()
    assert found[0] == found[1] and found[0]["mean"][0] != found[0]["mean"][1]


def test_samples_start_from_the_seed(subject):
    given, theta = subject("vae", 40, seed=3)
    drawn = given.generated(theta, 10, 40)
    prior = Prior(given.model, 3)
    assert np.array_equal(drawn, generate(given.model, theta, given.reference.schema, prior, 10, 40))


def test_samples_for_the_labels_of_the_reference(subject):
    """A generator that knows its classes is not blamed for how often they come."""
    given, theta = subject("conditional", 100)
    asked, draw = [], given.model.sample
    given.model.sample = lambda theta, batch: asked.append(batch.labels) or draw(theta, batch)
    given.generated(theta, 0, 100)
    labels = np.concatenate(asked)
    assert np.array_equal(labels[:100], given.reference.labels(0, 100)) and not labels[100:].any()
