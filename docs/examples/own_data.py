"""From your own HDF5 data to a GAN: write a data file, train, draw samples.

$MPIRUN -n 2 python -m mpi4py docs/examples/own_data.py
"""

from pathlib import Path

import h5py
import numpy as np
from mpi4py import MPI

import hpcgen

comm = MPI.COMM_WORLD
if comm.rank == 0:
    # The output of your simulation: 1,000 waves on a grid of 16 x 16 points.
    random, grid = np.random.default_rng(0), np.mgrid[:16, :16] / 16
    numbers, phases = random.integers(1, 4, (1000, 2)), random.uniform(0, 2 * np.pi, 1000)
    angles = 2 * np.pi * np.einsum("ni,ihw->nhw", numbers, grid) + phases[:, None, None]
    with h5py.File("waves.h5", "w") as file:
        file["samples"] = np.cos(angles)[..., None].astype(np.float32)  # (n, height, width, channels)
        file.attrs.update(kind="image", low=-1.0, high=1.0)
    Path("waves.toml").write_text(
        'model = { network = "dcgan64", generator = { width = 8 }, discriminator = { width = 8 } }\n'
        'data.path = "waves.h5"\n'
        "train = { steps = 50, lanes = 4, lane_size = 8 }\n"
    )
comm.Barrier()
hpcgen.train("waves.toml", "runs/waves", comm, progress="off")
hpcgen.sample("runs/waves", comm, hpcgen.SampleOptions(count=100, out=Path("new.h5"), png=Path("new.png")))
if comm.rank == 0:
    print("trained runs/waves; new samples are in new.h5, and a plot of them in new.png")
