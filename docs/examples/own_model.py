"""Train your own model, the flow of flow.py, on the digits, and draw samples.

$MPIRUN -n 2 python -m mpi4py docs/examples/own_model.py
"""

from pathlib import Path

from flow import Flow
from mpi4py import MPI

import hpcgen
from hpcgen.data.sources.digits import Digits
from hpcgen.models import MODELS

MODELS["flow"] = Flow  # model.kind = "flow" now works in the run files of this script.

comm = MPI.COMM_WORLD
hpcgen.prepare(Digits, "digits.h5", comm)
if comm.rank == 0:
    Path("flow.toml").write_text('model.kind = "flow"\ndata.path = "digits.h5"\ntrain.steps = 200\n')
comm.Barrier()
hpcgen.train("flow.toml", "runs/flow", comm, progress="off")
hpcgen.sample("runs/flow", comm, hpcgen.SampleOptions(count=100, png=Path("flow.png")))
if comm.rank == 0:
    print("trained runs/flow; a plot of new samples is in flow.png")
