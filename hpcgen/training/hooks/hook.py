"""What every hook is."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpcgen.training.loop import Training
    from hpcgen.training.schedule import Statistics


class Hook:
    """Something that happens between steps. Every rank calls every hook in the same order.

    `begin` is called once before the first step. The hook itself is called after each step, with the
    statistics {player: {name: mean over the samples}}, and `last` after the last step of the run. `close` is
    called when the run ends, however it ends.
    """

    def begin(self, training: "Training") -> None:
        """Make up for what a killed run left undone at the step that this run starts from."""

    def __call__(self, training: "Training", statistics: "Statistics", last: bool) -> None:
        """Act after a step."""

    def close(self) -> None:
        """Release what the hook holds."""


def due(every: int, training: "Training", last: bool) -> bool:
    """Return whether something that happens every N steps, and after the last step, happens now."""
    return last or training.step % every == 0
