"""The state of a player on one rank."""

from dataclasses import dataclass

import numpy as np

from hpcgen.nn.vector import Vector
from hpcgen.parallel.ownership import Ownership


@dataclass
class PlayerState:
    """The state of a player on one rank: all of `theta`, and this rank's part of everything else.

    `slots` (the optimizer's state vectors by name) and `average` (the mean of past parameters, or None) hold
    the parameters that `ownership` gives this rank, packed. `written` gives the ranges of the parameters that
    this rank writes to a checkpoint.
    """

    theta: Vector
    slots: dict[str, np.ndarray]
    ownership: Ownership
    written: Ownership
    average: np.ndarray | None = None

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """This rank's part of each array that the ranks divide, by the array's path in a checkpoint."""
        slots = {f"optimizer/{slot}": values for slot, values in self.slots.items()}
        return slots if self.average is None else {**slots, "average": self.average}
