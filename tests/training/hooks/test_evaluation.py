"""Measures that are computed during training."""

import csv

import pytest

from hpcgen.evaluation.evaluate import EvaluateOptions, evaluate
from hpcgen.training.run import train


def test_measures_during_training(comm, folder, trained):
    path, data = trained("vae")
    settings = ["train.steps=7", "metrics.every=4", "evaluate.every=3", "evaluate.count=100"]
    again = folder / "run"
    train(path.with_suffix(".toml"), again, comm, settings, progress="off")
    comm.Barrier()
    header, *rows = [line.split(",") for line in (again / "metrics.csv").read_text().splitlines()]
    by_step = {int(row[0]): dict(zip(header, row)) for row in rows}
    assert {
        step: (row["vae/loss"] != "", row["evaluate/elbo/generated"] != "") for step, row in by_step.items()
    } == {
        3: (False, True),
        4: (True, False),
        6: (False, True),
        7: (False, True),
    }
    measures = evaluate(again, [data], comm, EvaluateOptions(count=100))
    last = by_step[7]
    assert {name: float(last[f"evaluate/{name}/real_data"]) for name in measures} == pytest.approx(
        {name: pair[1] for name, pair in measures.items()}, rel=1e-12
    )


def test_measures_that_a_killed_run_did_not_take_are_made_up_for(comm, folder, trained):
    path, _ = trained("vae")
    settings, again = (
        ["train.steps=4", "metrics.every=1", "evaluate.every=4", "evaluate.count=20"],
        folder / "run",
    )
    options = {"progress": "off"}
    train(path.with_suffix(".toml"), again, comm, settings, **options)
    comm.Barrier()
    whole = (again / "metrics.csv").read_text()
    comm.Barrier()
    if comm.rank == 0:
        (again / "metrics.csv").write_text("".join(whole.splitlines(keepends=True)[:-1]))
    comm.Barrier()
    train(path.with_suffix(".toml"), again, comm, settings, **options)
    comm.Barrier()
    last, made = (text.splitlines()[-1].split(",") for text in (whole, (again / "metrics.csv").read_text()))
    assert made[0] == last[0] == "4" and made[-3:] == last[-3:] and made[1] == ""


def test_measures_of_the_past_stay_in_metrics_csv(folder, start):
    start("run", "train.steps=10", "evaluate.every=5", "evaluate.count=50")
    before = list(csv.DictReader((folder / "run" / "metrics.csv").read_text().splitlines()))
    start("run", "train.steps=20")
    after = list(csv.DictReader((folder / "run" / "metrics.csv").read_text().splitlines()))
    assert after[:2] == before
    assert (
        float(before[0]["evaluate/precision/real_data"]) > 0.5
        and after[3]["evaluate/precision/real_data"] == ""
    )
