"""Train on your own communicator: half of the ranks train, and the other ranks are free for a simulation.

$MPIRUN -n 4 python -m mpi4py docs/examples/train_from_python.py
"""

import logging
from pathlib import Path

from hpcgen.runtime import prepare_process

prepare_process()  # Sets the BLAS kernel. This must happen before NumPy is imported.

from mpi4py import MPI  # noqa: E402

import hpcgen  # noqa: E402
from hpcgen.data.sources.digits import Digits  # noqa: E402

RUN_FILE = Path(__file__).parents[2] / "jobs" / "digits.toml"
world = MPI.COMM_WORLD
trains = world.rank >= world.size // 2
comm = world.Split(color=int(trains))
logging.basicConfig(level=logging.INFO if comm.rank == 0 else logging.ERROR, format="%(message)s")

if trains:
    hpcgen.prepare(Digits, "data/digits.h5", comm)
    settings = ["train.steps=200", "samples.every=100"]
    training = hpcgen.train(RUN_FILE, "runs/from-python", comm, settings, progress="off")
    if comm.rank == 0:
        print(f"{comm.size} of {world.size} ranks trained to step {training.step}: {training.saved}")
comm.Free()
