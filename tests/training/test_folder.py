"""The run folder: its lock, and how a run treats the files in it."""

import errno
import os

import pytest

from hpcgen.checkpoints.folder import candidates
from hpcgen.config.reading import load_config
from hpcgen.errors import InputError, RunError
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks.metrics import Metrics


def change(comm, function):
    """Let rank 0 change something that all ranks see."""
    if comm.rank == 0:
        function()
    comm.Barrier()


@pytest.mark.parametrize("content", ["", "\0" * 100, "data = ["])
def test_a_run_goes_on_although_config_toml_is_lost(comm, folder, train, said, content):
    """A power cut may leave an empty file. The checkpoint holds the configuration too."""
    change(comm, lambda: (folder / "run" / "config.toml").write_text(content))
    said()
    assert train("train.steps=5").step == 5
    assert comm.bcast(any("config.toml" in line for line in said()))
    assert load_config(folder / "run" / "config.toml").train.steps == 5
    comm.Barrier()
    change(comm, lambda: (folder / "run" / "config.toml").write_text(content))
    with pytest.raises(InputError, match="another configuration .model.latent"):
        train("train.steps=6", "model.latent=3")


@pytest.mark.parametrize("section", ["data", "train", "optimizer.vae", "checkpoint", "parallel"])
def test_a_run_goes_on_although_config_toml_lost_its_end(comm, folder, train, said, section):
    """Whole tables are left, for the rest of which the defaults would stand."""
    path = folder / "run" / "config.toml"
    text = path.read_text()
    comm.Barrier()
    change(comm, lambda: path.write_text(text[: text.index(f"[{section}]")]))
    said()
    assert train("train.steps=5").step == 5
    assert comm.bcast(any("config.toml: not a whole run file" in line for line in said()))
    assert load_config(path).train.steps == 5 and "[parallel]" in path.read_text()


def test_config_toml_is_on_the_disk_before_it_takes_its_name(comm, folder, train, monkeypatch):
    flushed, replaced, fsync, replace = [], [], os.fsync, os.replace
    monkeypatch.setattr(
        os,
        "fsync",
        lambda descriptor: flushed.append(os.readlink(f"/proc/self/fd/{descriptor}")) or fsync(descriptor),
    )

    def noting(source, target):
        replaced.append((os.fspath(source), os.fspath(target)))
        assert os.fspath(source) in flushed or os.fspath(target).endswith(".png")
        replace(source, target)

    monkeypatch.setattr(os, "replace", noting)
    train("train.steps=4")
    if comm.rank == 0:
        names = {os.path.basename(target) for _, target in replaced}
        assert {"config.toml", "metrics.csv", "step-00000004.h5"} <= names
        assert str(folder / "run") in flushed


def test_a_folder_of_damaged_checkpoints_is_refused_until_fresh(comm, folder, train):
    """Not only the first time: a loop, or a requeued job, gives the same command again."""

    def harm():
        for path in candidates(folder / "run"):
            path.write_bytes(b"")

    change(comm, harm)
    with pytest.raises(InputError, match="none of the run's checkpoints is whole .* start over with --fresh"):
        train()
    for _ in range(2):
        with pytest.raises(InputError, match="checkpoints are damaged .*step-00000003.damaged.* --fresh"):
            train()
    assert train(fresh=True).step == 3
    assert (folder / "run" / "old-1" / "checkpoints" / "step-00000003.damaged").exists()
    comm.Barrier()
    assert train("train.steps=4").step == 4


def test_a_damaged_checkpoint_beside_a_whole_one_is_no_obstacle(comm, folder, train):
    train("train.steps=4")
    change(comm, lambda: candidates(folder / "run")[0].write_bytes(b""))
    assert train("train.steps=5").step == 5
    assert train("train.steps=6").step == 6


NEVER = {"metrics": 100, "checkpoint": 100, "samples": 100, "evaluate": 100}


@pytest.mark.parametrize("remade", [False, True])
@pytest.mark.parametrize("writer", NEVER)
def test_a_folder_that_is_moved_under_a_run_ends_it(comm, folder, train, monkeypatch, writer, remade):
    """Whatever is written next, nothing is written, and all ranks end."""
    call = Metrics.__call__

    def moving(self, training, statistics, last):
        if training.step == 5:
            change(comm, lambda: (folder / "run").rename(folder / "moved"))
            if remade:
                change(comm, lambda: [(folder / "run").mkdir(), (folder / "run" / ".lock").touch()])
        call(self, training, statistics, last)

    monkeypatch.setattr(Metrics, "__call__", moving)
    every = [f"{section}.every={steps}" for section, steps in {**NEVER, writer: 5}.items()]
    with pytest.raises(RunError, match="run: the run folder was moved or removed"):
        train("train.steps=9", "evaluate.count=16", *every)
    comm.Barrier()
    left = os.listdir(folder / "run") if remade else []
    assert left == ([".lock"] if remade else []) and (remade or not (folder / "run").exists())


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENOTDIR, errno.ESTALE])
def test_a_folder_that_leads_nowhere_has_gone(comm, folder, monkeypatch, code):
    home = RunFolder(folder / "run")
    with home.locked(comm):
        home.require_there()
        refuse(monkeypatch, code)
        if comm.rank == 0:
            with pytest.raises(RunError, match="run: the run folder was moved or removed"):
                home.require_there()
        monkeypatch.undo()


def test_a_folder_that_cannot_be_reached_is_not_said_to_be_moved(comm, folder, monkeypatch):
    home = RunFolder(folder / "run")
    with home.locked(comm):
        refuse(monkeypatch, errno.EIO)
        if comm.rank == 0:
            with pytest.raises(RunError, match="run: is no longer accessible: Input/output error"):
                home.require_there()
        monkeypatch.undo()


def refuse(monkeypatch, code):
    """Let the system answer with an error when it is asked for the lock."""
    stat = os.stat

    def refusing(path, *arguments, **options):
        if os.fspath(path).endswith(".lock"):
            raise OSError(code, os.strerror(code))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", refusing)


def test_what_killed_runs_left_is_tidied_up(comm, folder, train):
    run, temporary = folder / "run", ".0a1b2c3d-0001-1f.part"
    left = {
        run: [temporary],
        run / "checkpoints": [temporary, f"{temporary}.locktest.0", ".step-00000004.h5.node-17.part"],
        run / "samples": [".step-00000004.png"],
    }
    change(comm, lambda: [(path / name).touch() for path, names in left.items() for name in names])
    train("train.steps=4")
    found = {path.name for path in run.rglob(".*")}
    assert found == {".lock"}


def test_a_lock_is_held_until_the_run_ends(comm, folder, monkeypatch):
    monkeypatch.setattr("hpcgen.training.folder.LOCK_SECONDS", 0.2)
    with (
        RunFolder(folder / "run").locked(comm),
        pytest.raises(InputError, match="another run is writing there"),
        RunFolder(folder / "run").locked(comm),
    ):
        pass
    with RunFolder(folder / "run").locked(comm):
        pass
