"""Samples that are drawn while a model trains."""

import os

import pytest

from hpcgen.errors import RunError
from hpcgen.training.hooks import samples


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
