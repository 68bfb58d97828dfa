"""`hpcgen evaluate` for each kind of model, and its measures during training."""

import errno
import json
import os

import h5py
import numpy as np
import pytest

from hpcgen.checkpoints.loading import load
from hpcgen.data.reading import DataFiles
from hpcgen.errors import InputError, WriteError
from hpcgen.evaluation import reference
from hpcgen.evaluation.evaluate import EvaluateOptions, evaluate
from hpcgen.evaluation.evaluation import Evaluation
from hpcgen.parallel.placement.network import divide
from hpcgen.sampling import generation, origins
from hpcgen.sampling.generation import model_of


def measure(path, data, comm, count=None, out=None, features=None, space=0):
    return evaluate(path, data, comm, EvaluateOptions(count, features=features, json=out, space=space))


MEASURES = {
    "gan": (
        "frechet_distance",
        "kernel_distance",
        "precision",
        "recall",
        "sliced_wasserstein",
        "log_spectral_distance",
    ),
    "rvae": ("elbo", "iwae", "bits_a_character"),
    "linear": ("theta_error_to_least_squares", "noise_error_to_least_squares", "theta_error"),
    "regressor": ("rmse", "r2"),
    "classifier": ("accuracy", "cross_entropy"),
}
MEASURES["fields"] = (*MEASURES["gan"], "log_spectral_distance_to_theory")
MEASURES["vae"] = MEASURES["sound"] = (*MEASURES["gan"], *MEASURES["rvae"][:2])


@pytest.mark.parametrize("kind", MEASURES)
def test_evaluation_is_the_same_at_any_number_of_ranks(comm, alone, folder, trained, kind, said):
    path, data = trained(kind)
    said()
    measures = measure(path, data, comm, out=folder / "f.json")
    lines = said()
    assert tuple(measures) == MEASURES[kind] and all(np.isfinite(measures[name]).all() for name in measures)
    assert [line.split()[0] for line in lines[3:-1]] == list(measures)
    assert "trained on these data" in lines[1]
    assert alone(lambda world: measure(path, data, world)) == measures
    report = json.loads((folder / "f.json").read_text())
    assert [list(pair.values()) for pair in report["figures"].values()] == [
        list(pair) for pair in measures.values()
    ]


@pytest.mark.parametrize("kind", ["volumes", "pictures"])
def test_ranks_share_large_samples(comm, alone, trained, monkeypatch, kind):
    """Generated ones: the ranks of a team make them together. Real ones are shared among all ranks."""
    path, data = trained(kind)
    for module in (origins, reference):
        monkeypatch.setattr(module, "NUMBERS_A_BLOCK", 1 << 17)
    expected = alone(lambda world: measure(path, data, world, 5))
    assert all(np.isfinite(pair).all() for pair in expected.values())
    assert measure(path, data, comm, 5) == expected
    teams = []

    def noted(model, team):
        teams.append(team.comm.size)
        divide(model, team)

    monkeypatch.setattr(generation, "divide", noted)
    for space in (n for n in (1, 2, 3) if comm.size % n == 0):
        assert measure(path, data, comm, 5, space=space) == expected
        assert teams.pop() == space


def test_a_report_may_have_a_path_that_mpi_io_could_not_write(comm, folder, trained):
    path, data = trained("regressor")
    report = folder / ("d" * 120) / ("e" * 120) / "f.json"
    measure(path, data, comm, out=report)
    comm.Barrier()
    assert json.loads(report.read_text())["step"] == 3


def test_a_report_that_the_disk_refuses_ends_all_ranks_in_one_line(comm, folder, trained, monkeypatch):
    path, data = trained("regressor")
    if comm.rank == 0:
        (folder / "f.json").write_text("old")
    comm.Barrier()

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WriteError, match="the disk refused f.json: No space left on device"):
        measure(path, data, comm, out=folder / "f.json")
    comm.Barrier()
    assert os.listdir(folder) == ["f.json"] and (folder / "f.json").read_text() == "old"


def test_what_an_evaluation_says(comm, trained, data):
    """Held-out data is close to the data, samples of a model that has learnt nothing are not."""
    text = data("text")
    path, data = trained("gan")
    measures = measure(path, data, comm)
    for name in ("frechet_distance", "kernel_distance", "sliced_wasserstein", "log_spectral_distance"):
        assert measures[name][0] > 5 * measures[name][1]
    assert min(measures["precision"][1], measures["recall"][1]) > 0.8
    classifier, _ = trained("classifier")
    learned = measure(path, data, comm, 300, features=classifier)
    assert learned["frechet_distance"] != measures["frechet_distance"]
    with pytest.raises(InputError, match='--features needs a checkpoint of model.kind = "classifier"'):
        measure(path, data, comm, features=path)
    with pytest.raises(InputError, match="a count of 899: with 1797 rows, 4 to 898 samples can be compared"):
        measure(path, data, comm, 899)
    with pytest.raises(InputError, match="kind of samples|shape of samples"):
        measure(path, text, comm)


@pytest.mark.parametrize(
    "kind, columns, message",
    [
        ("linear", {"samples": (20, 2)}, "the evaluation data have no /inputs"),
        ("regressor", {"samples": (20, 2)}, "the evaluation data have no /inputs"),
        ("classifier", {"samples": (20, 8, 8, 1)}, "the evaluation data have no /labels"),
        (
            "classifier",
            {"samples": (20, 8, 8, 1), "labels": (20,)},
            "label 10 is not among the 10 labels of the training data",
        ),
        (
            "gan",
            {"samples": (20, 8, 8, 1)},
            "cannot be evaluated: samples that are all equal have no principal components",
        ),
    ],
)
def test_data_that_cannot_be_evaluated_on(comm, folder, trained, kind, columns, message):
    path, _ = trained(kind)
    if comm.rank == 0:
        with h5py.File(folder / "bad.h5", "w") as file:
            for name, shape in columns.items():
                dtype = np.int64 if name == "labels" else np.uint8 if len(shape) == 4 else np.float32
                file[name] = np.full(shape, 10, dtype)
            file.attrs.update(kind="image" if len(columns["samples"]) == 4 else "array", low=0.0, high=255.0)
    comm.Barrier()
    with pytest.raises(InputError, match=message):
        measure(path, folder / "bad.h5", comm)


def test_features_that_serve_nothing(comm, trained):
    path, data = trained("linear")
    classifier, _ = trained("classifier")
    with pytest.raises(InputError, match="features apply to drawn samples"):
        measure(path, data, comm, features=classifier)


def test_samples_for_labels_as_frequent_as_in_the_data(comm, folder, trained):
    """A generator that knows its classes is not blamed for how often they come."""
    path, data = trained("conditional")
    with h5py.File(data) as file:
        few = np.flatnonzero(file["labels"][...] < 2)
        rare = np.concatenate([few[file["labels"][...][few] == 0], few[file["labels"][...][few] == 1][:20]])
        rows = {name: file[name][...][np.sort(rare)] for name in ("samples", "labels")}
    if comm.rank == 0:
        with h5py.File(folder / "rare.h5", "w") as file:
            for name, values in rows.items():
                file[name] = values
            file.attrs.update(kind="image", low=0.0, high=255.0)
    comm.Barrier()
    state = load(path)
    with DataFiles([str(folder / "rare.h5")]) as files:
        model = model_of(state)
        evaluation = Evaluation(model, state.schema, files, comm)
        drawn, asked = [], model.sample
        model.sample = lambda theta, batch: drawn.append(batch.labels) or asked(theta, batch)
        evaluation.measures(state.sampled)
        evaluation.close()
    count = len(rows["labels"]) // 2
    mine = rows["labels"][: 2 * count : 2]
    given = np.concatenate([np.empty(0, int), *comm.allreduce(drawn)])
    assert np.bincount(given, minlength=10)[1] == np.count_nonzero(mine == 1)


def test_several_files_are_evaluated_as_one(comm, trained):
    path, data = trained("vae")
    assert measure(path, [data, data], comm, 100) == measure(path, data, comm, 100)
    path, data = trained("linear")
    with pytest.raises(InputError, match="a count applies to drawn samples"):
        measure(path, data, comm, 100)


def test_data_that_the_model_has_seen_are_named_as_such(comm, folder, trained, random, said):
    path, data = trained("vae")
    if comm.rank == 0:
        with h5py.File(folder / "new.h5", "w") as file:
            file["samples"] = random.integers(0, 255, (40, 8, 8, 1), np.uint8)
            file["labels"] = np.zeros(40, int)
            file.attrs.update(kind="image", low=0.0, high=255.0)
    comm.Barrier()
    for files, seen in (([data], True), ([folder / "new.h5"], False), ([folder / "new.h5", data], True)):
        said()
        measure(path, files, comm, 10)
        assert any("trained on these data" in line for line in said()) == seen


def test_columns_that_do_not_vary_and_rows_that_are_not_there(comm, folder, trained):
    path, data = trained("regressor")
    if comm.rank == 0:
        with (
            h5py.File(data) as file,
            h5py.File(folder / "flat.h5", "w") as flat,
            h5py.File(folder / "none.h5", "w") as none,
        ):
            samples, inputs = file["samples"][...], file["inputs"][...]
            samples[:, 1] = 3
            flat["samples"], flat["inputs"] = samples, inputs
            none["samples"], none["inputs"] = samples[:0], inputs[:0]
    comm.Barrier()
    measures = measure(path, folder / "flat.h5", comm, out=folder / "flat.json")
    assert np.isfinite(measures["r2"]).all() and "NaN" not in (folder / "flat.json").read_text()
    with pytest.raises(InputError, match="the evaluation data have no rows"):
        measure(path, folder / "none.h5", comm)
