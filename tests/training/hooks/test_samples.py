"""Samples that are drawn while a model trains."""

import os

import pytest

from hpcgen.errors import RunError
from hpcgen.sampling.options import SampleOptions
from hpcgen.sampling.sample import sample
from hpcgen.training.hooks import samples
from hpcgen.training.run import train


@pytest.mark.parametrize("kind, ending", [("gan", ".png"), ("rvae", ".txt"), ("sound", ".wav")])
def test_they_are_those_of_hpcgen_sample(comm, folder, trained, kind, ending):
    """For the run's seed, which is 0."""
    path, _ = trained(kind)
    out = {"png": folder / "x.png"} if ending == ".png" else {"out": folder / f"x{ending}"}
    sample(path, comm, SampleOptions(64, 0, **out))
    comm.Barrier()
    drawn = path / "samples" / f"step-00000003{ending}"
    assert os.listdir(path / "samples") == [drawn.name]
    assert drawn.read_bytes() == (folder / f"x{ending}").read_bytes()


@pytest.mark.parametrize("kind", ["linear", "classifier"])
def test_models_that_draw_from_no_noise_draw_none(comm, trained, kind):
    path, _ = trained(kind)
    assert os.listdir(path / "samples") == []


def test_those_that_a_killed_run_missed_are_made_up_for(comm, folder, trained):
    path, _ = trained("rvae")
    settings = ["train.steps=5", "samples.every=2", "samples.count=3"]

    def drawn():
        train(path.with_suffix(".toml"), folder / "run", comm, settings, progress="off")
        comm.Barrier()
        samples = folder / "run" / "samples"
        return {name: (samples / name).read_text() for name in sorted(os.listdir(samples))}

    whole = drawn()
    assert list(whole) == [f"step-0000000{step}.txt" for step in (2, 4, 5)]
    assert all(text.count("\n----------------\n") == 2 for text in whole.values())
    comm.Barrier()
    if comm.rank == 0:
        (folder / "run" / "samples" / "step-00000005.txt").unlink()
    comm.Barrier()
    assert drawn() == whole


def test_samples_are_drawn_every_so_many_steps_and_at_the_end(comm, folder, train):
    train("train.steps=6", "samples.every=2")
    found = sorted(os.listdir(folder / "run" / "samples"))
    assert found == [f"step-{step:08d}.png" for step in (3, 4, 6)]


def test_samples_that_a_killed_run_did_not_draw_are_made_up_for(comm, folder, train):
    if comm.rank == 0:
        (folder / "run" / "samples" / "step-00000003.png").unlink()
    comm.Barrier()
    train()
    assert os.listdir(folder / "run" / "samples") == ["step-00000003.png"]


@pytest.mark.parametrize("remade", [False, True])
def test_no_picture_goes_into_a_folder_that_came_meanwhile(comm, folder, train, monkeypatch, remade):
    """To draw samples takes a while. Neither the folder is made anew, nor another run's gets the picture."""
    generate = samples.generate

    def generating(*arguments):
        (folder / "run").rename(folder / "moved")
        if remade:
            (folder / "run" / "samples").mkdir(parents=True)
            (folder / "run" / ".lock").touch()
        return generate(*arguments)

    monkeypatch.setattr(samples, "generate", generating)
    with pytest.raises(RunError, match="run: the run folder was moved or removed"):
        train("train.steps=4", "samples.every=4")
    comm.Barrier()
    assert (folder / "run").exists() == remade
    assert not remade or os.listdir(folder / "run" / "samples") == []
