"""A run folder: what `hpcgen train` finds there, leaves there, and refuses to mix."""

import fcntl
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import monotonic, sleep

from hpcgen.checkpoints.folder import candidates
from hpcgen.config.reading import differences, load_config
from hpcgen.errors import InputError
from hpcgen.files.writing import parallel
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.runtime import StopRequest
from hpcgen.training import hooks
from hpcgen.training.loop import Training

# How long a run waits for another one to leave its folder.
LOCK_SECONDS = 3.0
OURS = ("config.toml", "metrics.csv", "samples", "checkpoints")


def train(run_file, folder, comm, settings=(), fresh=False, progress="auto", say=print, warn=print):
    """Train the run file `run_file` in the run folder, resuming from its newest whole checkpoint unless `fresh`.

    `say` is told what happens, `warn` what the user should look at; both on rank 0 only. Returns the `Training`, closed.
    Collective over `comm`. Raises InputError and RunError.
    """
    folder = Path(folder)
    config = from_root(comm, load_config, run_file, settings)
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest())
        training = stack.enter_context(closing(Training(config, comm)))
        evaluation = hooks.evaluation(training, stack) if config.evaluate.every else None
        training.warn_of_mixed_nodes(warn)
        stack.enter_context(_locked(folder, comm))
        training.resume(from_root(comm, _enter, folder, config, fresh), warn)
        from_root(comm, _record, folder, config)
        samples = (
            hooks.Samples(folder / "samples", training.shards.schema)
            if training.model.source == "noise"
            else None
        )
        for line in _introduction(training):
            say(line)
        if training.step < config.train.steps:
            active = [
                *hooks.progress(progress, training),
                # First of all what a signal leaves little time for.
                hooks.Checkpoints(folder / "checkpoints"),
                hooks.MetricsFile(folder / "metrics.csv", training, evaluation),
                *([samples] if samples else []),
            ]
            for hook in active:
                stack.callback(hook.close)
            training.run(active, stop)
        else:
            say(f"nothing left to do: {training.step} of train.steps = {config.train.steps} steps are done")
            if evaluation:
                hooks.MetricsFile(folder / "metrics.csv", training, evaluation).close()
            if samples and not from_root(comm, samples.path(training.step).exists):
                samples.draw(training)
    say(f"run         {folder}")
    say(f"checkpoint  {training.saved}")
    if samples:
        say(f"samples     {samples.path(training.step)}")
    return training


def _introduction(training):
    config, comm, lanes = training.config, training.comm, training.lanes.counts
    size = sum(player.state.theta.layout.parameters.stop for player in training.players.values())
    deal = f"{min(lanes)}" if min(lanes) == max(lanes) else f"{min(lanes)} to {max(lanes)}"
    ranks = "1 rank" if comm.size == 1 else f"{comm.size} ranks, {deal} a rank"
    yield (
        f"{config.model.kind} {config.model.network}: {size:,} parameters; {config.train.lanes} lanes of "
        f"{config.train.lane_size} samples on {ranks}; exchange {config.parallel.exchange}"
    )
    yield "numpy {numpy}, {blas}; kernels {kernels}; lanes at a time: {threads}; malloc {malloc}".format(
        **training.environment
    )
    yield "h5py {h5py}; {mpi}".format(**training.environment)
    if training.environment["kernels"] == "numpy":
        yield "the kernels are not compiled, or declined: the same bits, slower (python -m hpcgen.nn.kernels.build)"
    if not parallel():
        yield "h5py has no MPI: the ranks write checkpoints in turn (jobs/setup.sh builds one that has)"
    if training.saved:
        yield f"resuming from {training.saved}"


@contextmanager
def _locked(folder, comm):
    """Hold the run folder for this run, until it ends however it ends; a second run is refused. Collective over `comm`."""
    lock = None
    with agree(comm):
        if comm.rank == 0:
            with _writable(folder):
                folder.mkdir(parents=True, exist_ok=True)
                lock = open(folder / ".lock", "w")
            _hold(lock, folder)
    try:
        yield
    finally:
        if lock:
            lock.close()


def _hold(lock, folder):
    """Take the lock; wait a little for the ranks of a job that was just killed. File systems without locks do without."""
    deadline = monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > deadline:
                lock.close()
                raise InputError(
                    f"{folder}: another run is writing there; wait for it, or choose another --run folder"
                ) from None
            sleep(0.1)
        except OSError:
            return None


@contextmanager
def _writable(folder):
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there: {error.strerror}; choose another --run folder"
        ) from None


def _enter(folder, config, fresh):
    """Check the run folder against the configuration, tidy it, and return its checkpoints, newest first."""
    with _writable(folder):
        if fresh:
            _set_aside(folder)
        if (folder / "config.toml").exists():
            changed = differences(config, load_config(folder / "config.toml"))
            if changed:
                raise InputError(
                    f"{folder}: was run with another configuration ({'; '.join(changed)}); "
                    "set these keys as they were, choose another --run folder, or start over with --fresh"
                )
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        (folder / "samples").mkdir(exist_ok=True)
        for stale in (folder / "checkpoints").glob(".step-*.part"):
            stale.unlink()
    return candidates(folder)


def _record(folder, config):
    """Write config.toml, whole."""
    with _writable(folder):
        part = folder / ".config.toml"
        part.write_text(config.toml(), encoding="utf-8")
        part.replace(folder / "config.toml")


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
