"""Measures of the labels that a classifier predicts."""

import h5py
import numpy as np
import pytest

from hpcgen.evaluation.classification import Classification


def test_accuracy_and_cross_entropy(subject, trained):
    given, theta = subject("classifier")
    with h5py.File(trained("classifier")[1]) as file:
        samples, labels = file["samples"][...], file["labels"][...]
    logits = given.model.logits(theta, given.model.batch(len(labels), samples=samples)).astype(np.float64)
    likelihood = logits[np.arange(len(labels)), labels] - np.log(np.exp(logits).sum(1))
    shares = np.bincount(labels) / len(labels)
    found = Classification(given).measure(theta)
    assert found["accuracy"] == pytest.approx((np.mean(logits.argmax(1) == labels), shares.max()), abs=0.002)
    assert found["cross_entropy"] == pytest.approx((-likelihood.mean(), -(shares * np.log(shares)).sum()))


def test_labels_that_do_not_occur(comm, folder, subject, trained):
    """The entropy of the frequencies counts only the labels that there are."""
    _, data = trained("classifier")
    if comm.rank == 0:
        with h5py.File(data) as file, h5py.File(folder / "one.h5", "w") as one:
            one["samples"], one["labels"] = file["samples"][:9], np.full(9, 4)
            one.attrs.update(kind="image", low=0.0, high=255.0)
    comm.Barrier()
    given, theta = subject("classifier", path=folder / "one.h5")
    found = Classification(given).measure(theta)
    assert found["accuracy"][1] == 1 and found["cross_entropy"][1] == 0
