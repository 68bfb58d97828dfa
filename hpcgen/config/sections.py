"""The sections of the run file as typed objects. Each setting has a default, limits and a line of help."""

from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

import msgspec

from hpcgen.models.networks.specs import Spec
from hpcgen.nn.optimizers import OPTIMIZERS, Optimizer
from hpcgen.settings import setting

# The names of the exchanges. hpcgen.parallel.exchange lists them too. It imports MPI, which is not needed to
# read a run file.
EXCHANGES = ("exact", "allreduce")
# Names of earlier versions that are still accepted, and their meaning.
OLD_EXCHANGES = {"auto": "exact"}


@dataclass(frozen=True)
class Data:
    """The data files. Several files are used as one. A relative path is relative to the current folder."""

    path: str | list[str] = setting(help="a data file, or a list of files that are used as one")
    block: int = setting(
        64, ge=1, help="MiB: a lane with more data than this reads it in blocks of this size"
    )


@dataclass(frozen=True)
class Train:
    """The steps, and the micro-batches of a step."""

    steps: int = setting(5000, ge=1, help="steps of the whole run")
    lanes: int = setting(
        8, ge=1, help="micro-batches in a step; without cells, also the largest number of ranks"
    )
    lane_size: int = setting(16, ge=1, help="samples in a lane: a step takes lanes x lane_size samples")
    cells: int | list[int] = setting(
        list,
        ge=1,
        help="parts of each sample along its first axes, such as [2, 2]; empty: samples are not divided",
    )
    recompute: bool = setting(
        False,
        help="recompute a GAN's samples for the generator's turn: less memory, more time, the same bits",
    )

    @property
    def grid(self) -> list[int]:
        """The parts of each axis; empty if samples are not divided."""
        return [self.cells] if isinstance(self.cells, int) else self.cells


@dataclass(frozen=True)
class Checkpoint:
    """When to write a checkpoint: every N steps and after the last one."""

    every: int = setting(
        1000, ge=1, help="steps from one checkpoint to the next; the last step is always saved"
    )
    keep: int = setting(3, ge=0, help="how many of the newest checkpoints to keep; 0: all")


@dataclass(frozen=True)
class Samples:
    """When to draw samples: every N steps and after the last one."""

    every: int = setting(1000, ge=1, help="steps from one picture of samples to the next")
    count: int = setting(64, ge=1, le=1024, help="samples in a picture")


@dataclass(frozen=True)
class Metrics:
    """When to write statistics to metrics.csv."""

    every: int = setting(10, ge=1, help="steps from one row of metrics.csv to the next")


@dataclass(frozen=True)
class Evaluate:
    """When to write measures to metrics.csv, and what to compare."""

    every: int = setting(
        0,
        ge=0,
        help="steps from one evaluation to the next, and one after the last step; 0: no evaluation",
    )
    count: int = setting(0, ge=0, help="samples to compare; 0: half of the rows, at most 5,000")
    data: str | list[str] = setting("", help="a data file, or a list; empty: the training data")
    skip: bool = setting(
        False, help="leave out samples and evaluations that are due while the observers are busy"
    )
    features: str = setting("", help="a classifier's checkpoint: compare its features; empty: compare pixels")


@dataclass(frozen=True)
class Parallel:
    """How the work is distributed over the ranks. These keys may change when a run resumes."""

    exchange: str = setting(
        "exact",
        choices=EXCHANGES,
        aliases=OLD_EXCHANGES,
        help="how gradients are summed: exact (same bits at any number of ranks), allreduce (up to rounding)",
    )
    weights: list[float] = setting(
        list,
        gt=0,
        help="relative speeds of the ranks: faster ranks get more lanes and cells; empty: all equal",
    )
    space: int = setting(
        0, ge=0, help="ranks that share a lane, each with some of its cells; 0: as few as possible"
    )
    observers: int = setting(
        0, ge=0, help="ranks that draw samples and evaluate while the others train; 0: all ranks do all"
    )


@dataclass(frozen=True)
class Config:
    """A run. `model` is the options object of its kind, `optimizer` maps each player to an optimizer."""

    seed: int
    model: Any
    data: Data
    train: Train
    optimizer: dict[str, Optimizer]
    checkpoint: Checkpoint
    samples: Samples
    metrics: Metrics
    evaluate: Evaluate
    parallel: Parallel

    def table(self) -> dict[str, Any]:
        """Return the resolved run file as a nested dict."""
        names = {optimizer: name for name, optimizer in OPTIMIZERS.items()}
        optimizer = {player: {"name": names[type(o)], **asdict(o)} for player, o in self.optimizer.items()}
        return {**_table(self), "optimizer": optimizer}

    def toml(self) -> str:
        """Return the resolved run file as text. Reading it gives this object again."""
        return msgspec.toml.encode(self.table()).decode()


def _table(value: Any) -> Any:
    """Return a dataclass as a nested dict. The dict of a layer also has its kind."""
    if isinstance(value, list):
        return [_table(item) for item in value]
    if not is_dataclass(value):
        return value
    kind: dict[str, Any] = {"kind": value.kind} if isinstance(value, Spec) else {}
    return kind | {f.name: _table(getattr(value, f.name)) for f in fields(value)}


SECTIONS = {
    "data": Data,
    "train": Train,
    "checkpoint": Checkpoint,
    "samples": Samples,
    "metrics": Metrics,
    "evaluate": Evaluate,
    "parallel": Parallel,
}
SEED = {
    "default": 0,
    "ge": 0,
    "le": 2**63 - 1,
    "help": "seed of all random numbers: initial parameters, order of the data, noise",
}
