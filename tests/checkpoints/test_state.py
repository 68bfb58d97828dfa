"""What a run keeps of a player, by its path in a checkpoint."""

import numpy as np

from hpcgen.checkpoints.state import PlayerState
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.ownership import Ownership


def test_parts_are_named_by_their_path_in_a_checkpoint():
    theta, own = Vector(Layout({"w": (4,)})), Ownership([[slice(0, 4)]], 0)
    slots = {"first_moment": np.ones(4), "second_moment": np.full(4, 2.0)}
    state = PlayerState(theta, slots, own, own)
    assert list(state.parts) == ["optimizer/first_moment", "optimizer/second_moment"]
    state.average = np.full(4, 3.0)
    assert list(state.parts) == ["optimizer/first_moment", "optimizer/second_moment", "average"]
    # The arrays themselves: a checkpoint is restored into them.
    assert state.parts["average"] is state.average
    assert all(state.parts[f"optimizer/{name}"] is values for name, values in slots.items())
