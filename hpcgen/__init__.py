"""Train generative models in parallel across MPI ranks."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Each name is imported when it is first used, so that `import hpcgen` loads neither NumPy nor h5py nor MPI.
_HOMES = {
    "load": "hpcgen.checkpoints.loading",
    "Checkpoint": "hpcgen.checkpoints.loading",
    "load_config": "hpcgen.config.reading",
    "Config": "hpcgen.config.sections",
    "prepare": "hpcgen.data.prepare",
    "PrepareOptions": "hpcgen.data.prepare",
    "train": "hpcgen.training.run",
    "Training": "hpcgen.training.loop",
    "sample": "hpcgen.sampling.sample",
    "SampleOptions": "hpcgen.sampling.options",
    "evaluate": "hpcgen.evaluation.evaluate",
    "EvaluateOptions": "hpcgen.evaluation.evaluate",
    "Layout": "hpcgen.nn.vector",
    "Vector": "hpcgen.nn.vector",
    "Partition": "hpcgen.parallel.partition",
    "InputError": "hpcgen.errors",
    "RunError": "hpcgen.errors",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
