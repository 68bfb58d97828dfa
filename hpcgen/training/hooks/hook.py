"""The base class of hooks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics


class Hook:
    """An action between steps. Every rank calls every hook, in the same order.

    `begin` is called once before the first step. The hook itself is called after each step, with the
    statistics {player: {name: mean over the samples}}. `last` is true after the last step of the run. `close`
    is called when the run ends or fails.
    """

    def begin(self, training: "Training") -> None:
        """Do the work that a killed run left undone at the step from which this run starts."""

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        """Act after a step."""

    def close(self) -> None:
        """Release the resources of the hook."""


def due(every: int, training: "Training", last: bool) -> bool:
    """Return whether an action that is due every `every` steps, and after the last step, is due now."""
    return last or training.step % every == 0
