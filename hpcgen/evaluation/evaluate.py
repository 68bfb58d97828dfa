"""`hpcgen evaluate`: the measures of a checkpoint, as a table and as JSON."""

import json
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.checkpoints.loading import load_together
from hpcgen.data.reading import DataFiles, require_suitable
from hpcgen.evaluation.evaluation import Evaluation
from hpcgen.evaluation.groups import Features
from hpcgen.files.replacing import require_room
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.sampling.origins import model_of

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluateOptions:
    """What is compared, and where the report goes.

    `count` samples are compared with as many rows (None: half of the rows, at most 5,000). `features` names a
    checkpoint of a classifier whose features are compared; without it pixels are compared, along 64 principal
    components. `json` is a file for the report.
    """

    count: int | None = None
    seed: int = 0
    features: Path | None = None
    json: Path | None = None


def evaluate(
    path: Path | str,
    data: Path | str | list[Path | str],
    comm: "MPI.Comm",
    options: EvaluateOptions = EvaluateOptions(),
) -> dict[str, tuple[float, float]]:
    """Log the measures of the checkpoint `path` (or of a run folder's newest) on a data file, or several as
    one.

    Return {name: (value, value of the other)}. Collective over `comm`. Raises InputError.
    """
    state = load_together(path, comm)
    paths = [str(each) for each in (data if isinstance(data, (list, tuple)) else [data])]
    with ExitStack() as stack:
        with agree(comm):
            if options.json and comm.rank == 0:
                require_room(options.json, 0)
            classifier = Features(options.features) if options.features else None
            files = stack.enter_context(DataFiles(paths))
            require_suitable(", ".join(paths), files, state.schema, state.path)
        evaluation = Evaluation(
            model_of(state), state.schema, files, comm, options.count, options.seed, classifier
        )
        stack.callback(evaluation.close)
        measures = evaluation.measures(state.sampled)
    seen = not set(files.fingerprint.split("; ")).isdisjoint(state.attributes["data"].split("; "))
    logger.info("%s on %s: %s", state.path, ", ".join(paths), evaluation.about)
    if seen:
        logger.info("the model was trained on these data: its measures on unseen data may be worse")
    width = max(map(len, measures))
    logger.info("%s  %14s  %14s", " " * width, *evaluation.columns)
    for name, (value, other) in measures.items():
        logger.info("%s  %14s  %14s", name.ljust(width), f"{value:.6g}", f"{other:.6g}")
    if options.json:
        report = {
            "checkpoint": str(state.path),
            "data": paths,
            "trained on these data": seen,
            "step": state.step,
            "seed": options.seed,
            "about": evaluation.about,
            "figures": {
                name: dict(zip(evaluation.keys, map(_plain, pair), strict=True))
                for name, pair in measures.items()
            },
        }
        from_root(comm, Path(options.json).write_text, json.dumps(report, indent=1) + "\n")
        logger.info("%s: the same as JSON", options.json)
    return measures


def _plain(value):
    """Return a number as JSON has it, which knows neither infinity nor NaN."""
    return value if np.isfinite(value) else None
