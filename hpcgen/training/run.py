"""Run a training from the run file to the last checkpoint, for `hpcgen train`."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from hpcgen.arrays import shown
from hpcgen.config.reading import load_config
from hpcgen.config.sections import Config
from hpcgen.errors import InputError
from hpcgen.files import writing
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.parallel.crew import Crew, crew
from hpcgen.runtime import lane_threads
from hpcgen.training.folder import RunFolder
from hpcgen.training.hooks import evaluation as evaluations
from hpcgen.training.hooks import metrics
from hpcgen.training.hooks.checkpoints import Checkpoints
from hpcgen.training.hooks.evaluation import Evaluations, evaluation_of
from hpcgen.training.hooks.hook import Hook
from hpcgen.training.hooks.metrics import Metrics
from hpcgen.training.hooks.observers import Observers
from hpcgen.training.hooks.progress import progress as progress_hook
from hpcgen.training.hooks.samples import Drawing, Samples
from hpcgen.training.hooks.table import MetricsTable
from hpcgen.training.loop import Training
from hpcgen.training.observer import Observer
from hpcgen.training.stop import StopRequest

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)


def train(
    run_file: Path | str,
    folder: Path | str,
    comm: "MPI.Comm",
    settings: Sequence[str] = (),
    fresh: bool = False,
    progress: str = "auto",
) -> Training | Observer:
    """Train as a run file describes. Resume from the newest whole checkpoint in `folder`, unless `fresh`.

    `settings` ("KEY=VALUE") override keys of the run file. Return this rank's part in the run, whose
    resources are released: a Training, or an Observer on the last `parallel.observers` ranks. Collective over
    `comm`. Raises InputError and RunError.
    """
    config = from_root(comm, load_config, run_file, settings)
    home = RunFolder(Path(folder))
    from_root(comm, home.require_short, config)
    threads = lane_threads(comm)  # both crews share the cores
    with StopRequest() as stop, crew(comm, config.parallel.observers) as mine:
        if mine.observes:
            with closing(Observer(config, home, mine, stop, threads)) as observer:
                observer.run()
            return observer
        return _train(config, home, mine, stop, threads, fresh, progress)


def _train(
    config: Config,
    home: RunFolder,
    mine: Crew,
    stop: StopRequest,
    threads: int,
    fresh: bool,
    progress: str,
) -> Training:
    """Train on the ranks of this crew. Return the Training, whose resources are released."""
    comm = mine.comm
    with ExitStack() as stack:
        observers = stack.enter_context(Observers(home, mine, stop)) if config.parallel.observers else None
        training = stack.enter_context(closing(Training(config, comm, threads)))
        drawing = None
        if training.model.source == "noise":
            drawing = Drawing(home, training.model, config, training.shards.schema, comm)
        if observers and not (drawing or config.evaluate.every):
            raise InputError(
                f"parallel.observers = {config.parallel.observers}: this model draws no samples, and "
                "observers have nothing to do; set evaluate.every, or leave parallel.observers out"
            )
        evaluation, measured = None, []
        if observers:
            measured = observers.start(training.shards.schema)
        elif config.evaluate.every:
            evaluation = evaluation_of(training.model, config, training.shards.schema, comm, threads, stack)
            measured = evaluations.columns(evaluation)
        training.warn_of_mixed_nodes()
        stack.enter_context(home.locked(comm))
        training.resume(from_root(comm, home.enter, config, fresh))
        from_root(comm, home.record, config)
        for line in _introduction(training, mine.world.size - comm.size):
            logger.info("%s", line)
        table = _table(training, home, measured, stack)
        # A signal leaves little time. Therefore only the row of metrics is written before the checkpoint.
        hooks: list[Hook] = [Metrics(home, table), Checkpoints(home)]
        if observers:
            observers.serve(table, drawing)
            hooks.append(observers)
        if evaluation:
            hooks.append(Evaluations(home, table, evaluation))
        if drawing and not observers:
            hooks.append(Samples(drawing))
        for hook in hooks:
            stack.callback(hook.close)
            hook.begin(training)
        if training.step < config.train.steps:
            bar = progress_hook(progress, training)
            stack.callback(bar.close)
            training.run([bar, *hooks], stop)
        else:
            logger.info(
                "nothing left to do: %s of train.steps = %s steps are done", training.step, config.train.steps
            )
    logger.info("run         %s", home.path)
    logger.info("checkpoint  %s", training.saved)
    if drawing:
        logger.info("samples     %s", drawing.path(training.step))
    return training


def _table(
    training: Training, home: RunFolder, measured: Sequence[str], stack: ExitStack
) -> MetricsTable | None:
    """Return the table of metrics on rank 0, None on other ranks. `stack` closes it. Collective."""
    world = training.mesh.world
    table = None
    with agree(world):
        if world.rank == 0:
            columns = [*metrics.columns(training.model), *measured]
            table = MetricsTable(home.path / "metrics.csv", columns, training.step)
            stack.callback(table.close)
    return table


def _introduction(training: Training, observers: int) -> Iterator[str]:
    config, size, lanes = training.config, training.mesh.world.size, training.deal.lanes.counts
    numbers = sum(player.state.theta.layout.parameters.stop for player in training.players.values())
    team = "rank" if training.deal.space == 1 else "team"
    ranks = "1 rank" if size == 1 else f"{size} ranks, {_span(lanes)} per {team}"
    yield (
        f"{config.model.kind} {config.model.network}: {numbers:,} parameters; "
        f"{config.train.lanes} lanes of {config.train.lane_size} samples on {ranks}; "
        f"exchange {config.parallel.exchange}"
    )
    if observers:
        yield f"{observers} more {'rank' if observers == 1 else 'ranks'} draw samples and evaluate"
    if config.train.grid:
        cells, space = training.deal.cells_in(0).counts, training.deal.space
        shares = f"{space} ranks (cells per rank: {_span(cells)})" if space > 1 else "1 rank"
        yield f"each sample has {shown(config.train.grid)} cells; a lane is on {shares}"
    environment = training.environment
    yield "numpy {numpy}, {blas}; kernels {kernels}; threads {threads}; malloc {malloc}".format(**environment)
    yield "h5py {h5py}; {mpi}".format(**environment)
    if environment["kernels"] == "numpy":
        yield (
            "the kernels are not compiled, or switched off: NumPy computes the same bits, more slowly "
            "(python -m hpcgen.nn.kernels.build compiles them)"
        )
    if not writing.parallel():
        yield "h5py has no MPI: the ranks write checkpoints in turn (jobs/setup.sh builds h5py with MPI)"
    if training.saved:
        yield f"resuming from {training.saved}"


def _span(counts: Sequence[int]) -> str:
    """Return the smallest and the largest of some counts, as text."""
    least, most = min(counts), max(counts)
    return f"{least}" if least == most else f"{least} to {most}"
