"""The measures that apply to a model, and the data and options that they refuse."""

import threading
from contextlib import closing

import h5py
import numpy as np
import pytest

from hpcgen.checkpoints.loading import load_together
from hpcgen.data.reading import DataFiles
from hpcgen.errors import InputError
from hpcgen.evaluation import evaluation
from hpcgen.evaluation.evaluation import MEASURES, Evaluation
from hpcgen.evaluation.features import Features
from hpcgen.sampling.generation import model_of

SERVE = {
    "gan": ["Distances"],
    "vae": ["Distances", "Bounds"],
    "sound": ["Distances", "Bounds"],
    "rvae": ["Bounds"],
    "linear": ["Coefficients"],
    "regressor": ["Regression"],
    "classifier": ["Classification"],
}


@pytest.fixture
def made(comm, trained):
    """made(kind, path, ...): an Evaluation of a trained model, open no longer than its files."""

    def make(kind, path=None, **asked):
        run, data = trained(kind)
        state = load_together(run, comm)
        with DataFiles([path or data]) as files:
            found = Evaluation(model_of(state), state.schema, files, comm, **asked)
            with closing(found):
                return found, found.measures(state.sampled)

    return make


@pytest.mark.parametrize("kind", SERVE)
def test_every_kind_of_model_has_measures(comm, trained, kind):
    state = load_together(trained(kind)[0], comm)
    chosen = [measure.__name__ for measure in MEASURES if measure.serves(model_of(state), state.schema)]
    assert chosen == SERVE[kind]


def test_an_evaluation_names_what_it_measures(made):
    found, measures = made("vae", count=20)
    assert found.names == list(measures) and found.columns == ("generated", "real data")
    assert found.keys == ["generated", "real_data"] and found.about.startswith("20 samples")
    found, measures = made("linear")
    assert found.keys == ["model", "least_squares"] and found.about == "300 rows"


@pytest.mark.parametrize(
    "kind, asked, message",
    [
        ("gan", {"count": 3}, "a count of 3: with 1797 rows, 4 to 898 samples can be compared"),
        ("gan", {"count": 899}, "a count of 899: with 1797 rows, 4 to 898 samples can be compared"),
        ("linear", {"count": 5}, "a count applies to drawn samples"),
    ],
)
def test_counts_that_cannot_be_had(made, kind, asked, message):
    with pytest.raises(InputError, match=message):
        made(kind, **asked)


def test_too_few_rows(comm, folder, made):
    if comm.rank == 0:
        for name, rows in (("none", 0), ("few", 7), ("enough", 8)):
            with h5py.File(folder / f"{name}.h5", "w") as file:
                file["samples"] = np.random.default_rng(1).integers(0, 255, (rows, 8, 8, 1), np.uint8)
                file.attrs.update(kind="image", low=0.0, high=255.0)
    comm.Barrier()
    with pytest.raises(InputError, match="the evaluation data have no rows"):
        made("gan", folder / "none.h5")
    with pytest.raises(InputError, match="7 rows are too few for an evaluation: 8 are needed"):
        made("gan", folder / "few.h5")
    assert made("gan", folder / "enough.h5")[0].about.startswith("4 samples")


def test_features_must_have_a_use(comm, trained, made):
    features = Features(load_together(trained("classifier")[0], comm))
    with pytest.raises(InputError, match="features apply to drawn samples"):
        made("linear", features=features)
    with pytest.raises(InputError, match="was trained on samples of another shape or type"):
        made("sound", features=features)


def test_a_model_without_measures(made, monkeypatch):
    monkeypatch.setattr(evaluation, "MEASURES", ())
    with pytest.raises(InputError, match="models of this kind have no measures"):
        made("gan")


def test_labels_that_the_model_does_not_know(comm, folder, made):
    if comm.rank == 0:
        with h5py.File(folder / "ten.h5", "w") as file:
            file["samples"] = np.random.default_rng(1).integers(0, 255, (300, 8, 8, 1), np.uint8)
            file["labels"] = np.arange(300) // 299 * 10
            file.attrs.update(kind="image", low=0.0, high=255.0)
    comm.Barrier()
    for kind in ("classifier", "conditional"):
        with pytest.raises(InputError, match="label 10 is not among the 10 labels of the training data"):
            made(kind, folder / "ten.h5")


def test_threads_end_with_an_evaluation_that_is_refused(comm, folder, made, monkeypatch):
    monkeypatch.setattr("hpcgen.evaluation.work.lane_threads", lambda comm: 3)
    if comm.rank == 0:
        with h5py.File(folder / "flat.h5", "w") as file:
            file["samples"] = np.full((900, 8, 8, 1), 10, np.uint8)
            file.attrs.update(kind="image", low=0.0, high=255.0)
    comm.Barrier()
    before = threading.active_count()
    made("gan", count=600)
    with pytest.raises(InputError, match="cannot be evaluated: samples that are all equal"):
        made("gan", folder / "flat.h5")
    assert threading.active_count() == before
