"""Look at the parameters of a checkpoint, without MPI.

python docs/examples/read_checkpoint.py runs/digits
"""

import sys

import numpy as np

import hpcgen

# A checkpoint, or a run folder: then the newest whole checkpoint in it is loaded.
state = hpcgen.load(sys.argv[1] if len(sys.argv) > 1 else "runs/digits")
print(f"{state.path}: {state.config.model.kind} after step {state.step}, seed {state.seed}")
for player, vector in state.players.items():
    moments = state.optimizer[player]["first_moment"]
    print(f"{player}: {vector.layout.parameters.stop:,} parameters")
    for name in vector:
        weight = vector[name]  # a NumPy array
        size, speed = np.linalg.norm(weight), np.linalg.norm(moments[name])
        print(f"  {name:16} {weight.shape!s:12} norm {size:8.4f}, first moment {speed:.2e}")
