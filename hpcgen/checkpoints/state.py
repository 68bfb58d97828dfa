"""What a run keeps of its players, on one rank."""

from dataclasses import dataclass

import numpy as np

from hpcgen.nn.vector import Vector


@dataclass
class PlayerState:
    """A player's numbers on one rank: `theta` complete, optimizer slots and `average` (or None) for the slice `owned` of it."""

    theta: Vector
    slots: dict
    owned: slice
    average: np.ndarray | None = None

    @property
    def parts(self):
        """The arrays of which this rank holds a slice of the parameters' length, by their path in a checkpoint."""
        slots = {f"optimizer/{slot}": values for slot, values in self.slots.items()}
        return slots if self.average is None else {**slots, "average": self.average}
