"""What a run keeps of its players, on one rank."""

from dataclasses import dataclass

import numpy as np

from hpcgen.nn.vector import Vector
from hpcgen.parallel.ownership import Ownership


@dataclass
class PlayerState:
    """A player's numbers on one rank: `theta` whole, and the part of its other state that this rank owns.

    `slots` (by name, the optimizer's) and `average` (or None) hold the numbers of the parameters that
    `ownership` gives this rank, packed. `written` says which ranges of the parameters this rank writes to a
    checkpoint.
    """

    theta: Vector
    slots: dict[str, np.ndarray]
    ownership: Ownership
    written: Ownership
    average: np.ndarray | None = None

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """The arrays of which this rank owns a part, by their path in a checkpoint."""
        slots = {f"optimizer/{slot}": values for slot, values in self.slots.items()}
        return slots if self.average is None else {**slots, "average": self.average}
