"""A run folder: what `hpcgen train` finds there, leaves there, and refuses to mix."""

from contextlib import ExitStack, closing
from pathlib import Path

from hpcgen import checkpoint, hooks, storage
from hpcgen.config import differences, load_config
from hpcgen.errors import InputError
from hpcgen.parallel.agreement import from_root
from hpcgen.training import Training

OURS = ("config.toml", "metrics.csv", "samples", "checkpoints")


def train(run_file, folder, comm, settings=(), fresh=False, progress="auto", say=print, warn=print):
    """Train the run file `run_file` in the run folder, resuming from its newest whole checkpoint unless `fresh`.

    `say` is told what happens, `warn` what the user should look at; both on rank 0 only. Returns the `Training`, closed.
    Collective over `comm`. Raises InputError and RunError.
    """
    folder = Path(folder)
    config = from_root(comm, load_config, run_file, settings)
    with closing(Training(config, comm)) as training:
        paths = from_root(comm, _enter, folder, config, fresh)
        training.resume(paths, warn)
        checkpoints, pictures = folder / "checkpoints", hooks.Pictures(folder / "samples")
        for line in _introduction(training):
            say(line)
        if training.step < config.train.steps:
            with ExitStack() as stack:
                active = [
                    *hooks.progress(progress, training),
                    hooks.MetricsFile(folder / "metrics.csv", training),
                    hooks.Checkpoints(checkpoints),
                    pictures,
                ]
                for hook in active:
                    stack.callback(hook.close)
                training.run(active)
        else:
            say(f"nothing left to do: {training.step} of train.steps = {config.train.steps} steps are done")
            if comm.rank == 0 and not pictures.path(training.step).exists():
                pictures.draw(training)
        say(f"run         {folder}")
        say(f"checkpoint  {training.saved}")
        say(f"picture     {pictures.path(training.step)}")
        return training


def _introduction(training):
    config, comm, lanes = training.config, training.comm, training.lanes.counts
    size = sum(player.state.theta.layout.parameters.stop for player in training.players.values())
    deal = f"{min(lanes)}" if min(lanes) == max(lanes) else f"{min(lanes)} to {max(lanes)}"
    yield (
        f"{config.model.kind} {config.model.network}: {size:,} parameters; {config.train.lanes} lanes of "
        f"{config.train.lane_size} samples on {comm.size} rank{'s'[: comm.size > 1]}, {deal} a rank; exchange {config.parallel.exchange}"
    )
    yield "numpy {numpy}, {blas} on one thread a rank; h5py {h5py}; {mpi}".format(**training.environment)
    if not storage.parallel():
        yield "h5py has no MPI: the ranks write checkpoints in turn (jobs/setup.sh builds one that has)"
    if training.saved:
        yield f"resuming from {training.saved}"


def _enter(folder, config, fresh):
    """Make or check the run folder and return its checkpoints, newest first."""
    saved = folder / "config.toml"
    try:
        if fresh:
            _set_aside(folder)
        if saved.exists():
            changed = differences(config, load_config(saved))
            if changed:
                raise InputError(
                    f"{folder}: was run with another configuration ({'; '.join(changed)}); "
                    "choose another --run folder, or start over with --fresh"
                )
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        (folder / "samples").mkdir(exist_ok=True)
        for stale in (folder / "checkpoints").glob(".step-*.part"):
            stale.unlink()
        part = folder / ".config.toml"
        part.write_text(config.toml())
        part.replace(saved)
    except OSError as error:
        raise InputError(f"{folder}: cannot write there: {error.strerror}; choose another --run folder") from None
    return checkpoint.candidates(folder)


def _set_aside(folder):
    """Move what an earlier run left in the folder to its subfolder old-N: --fresh loses nothing."""
    present = [folder / name for name in OURS if (folder / name).exists()]
    if present:
        number = 1
        while (folder / f"old-{number}").exists():
            number += 1
        aside = folder / f"old-{number}"
        aside.mkdir()
        for path in present:
            path.rename(aside / path.name)
