"""Measure a checkpoint for `hpcgen evaluate`, and report the measures as a table and as JSON."""

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.checkpoints.loading import Checkpoint, load_together
from hpcgen.data.reading import DataFiles, require_suitable
from hpcgen.evaluation.evaluation import DEFAULT_SAMPLES, Evaluation
from hpcgen.evaluation.features import Features
from hpcgen.evaluation.measure import Measures
from hpcgen.files.replacing import replace_text, require_target
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.sampling.generation import drawing_model

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluateOptions:
    """The options of an evaluation.

    `count` samples are compared with as many rows (None: half of the rows, at most 5,000). `features` is the
    checkpoint of a classifier whose features are compared. Without it pixels are compared, along 64 principal
    components. `json` is a file for the report. `space` ranks share a sample if the run divides samples into
    cells (0: as few as possible, see `drawing_model`).
    """

    count: int | None = None
    seed: int = 0
    features: Path | None = None
    json: Path | None = None
    space: int = 0


def evaluate(
    path: Path | str,
    data: Path | str | Sequence[Path | str],
    comm: "MPI.Comm",
    options: EvaluateOptions = EvaluateOptions(),
) -> Measures:
    """Measure a checkpoint, or the newest one of a run folder, on one or several data files. Log a table.

    Return {name: (value of the model, value of the other column)}. Collective over `comm`. Raises InputError.
    """
    paths = [data] if isinstance(data, (str, Path)) else list(data)
    state = load_together(path, comm)
    features = Features(load_together(options.features, comm)) if options.features else None
    with ExitStack() as stack:
        with agree(comm):
            files = stack.enter_context(DataFiles(paths))
            require_suitable(_joined(paths), files, state.schema, state.path)
            if options.json and comm.rank == 0:
                require_target(options.json)
        drawn = options.count or min(files.rows // 2, DEFAULT_SAMPLES)
        model = stack.enter_context(drawing_model(state, comm, drawn, options.space))
        evaluation = Evaluation(model, state.schema, files, comm, options.count, options.seed, features)
        stack.callback(evaluation.close)
        measures = evaluation.measures(state.sampled)
    seen = not set(files.fingerprint.split("; ")).isdisjoint(state.attributes["data"].split("; "))
    for line in _table(state, paths, evaluation, measures, seen):
        logger.info("%s", line)
    if options.json:
        report = _report(state, paths, evaluation, measures, seen, options.seed)
        from_root(comm, replace_text, Path(options.json), report)
        logger.info("%s: the measures as JSON", options.json)
    return measures


def _table(
    state: Checkpoint, paths: Sequence[Path | str], evaluation: Evaluation, measures: Measures, seen: bool
) -> list[str]:
    """Return the measures as the lines of a table."""
    lines = [f"{state.path} on {_joined(paths)}: {evaluation.about}"]
    if seen:
        lines.append("the model was trained on these data: measures on unseen data may be worse")
    width = max(map(len, measures))
    model, other = evaluation.columns
    lines.append(f"{'':<{width}}  {model:>14}  {other:>14}")
    lines += [f"{name:<{width}}  {pair[0]:>14.6g}  {pair[1]:>14.6g}" for name, pair in measures.items()]
    return lines


def _report(
    state: Checkpoint,
    paths: Sequence[Path | str],
    evaluation: Evaluation,
    measures: Measures,
    seen: bool,
    seed: int,
) -> str:
    """Return the measures as JSON. The key "figures" keeps its old name, because scripts read it."""
    report = {
        "checkpoint": str(state.path),
        "data": list(map(str, paths)),
        "trained on these data": seen,
        "step": state.step,
        "seed": seed,
        "about": evaluation.about,
        "figures": {
            name: dict(zip(evaluation.keys, map(_finite, pair), strict=True))
            for name, pair in measures.items()
        },
    }
    return json.dumps(report, indent=1) + "\n"


def _joined(paths: Sequence[Path | str]) -> str:
    return ", ".join(map(str, paths))


def _finite(value: float) -> float | None:
    """Return the value, or None for infinity and NaN, which JSON cannot represent."""
    return value if np.isfinite(value) else None
