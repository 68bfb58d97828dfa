"""A player of a run on one rank: its exchange, its optimizer and its state."""

import numpy as np

from hpcgen.checkpoints.state import PlayerState
from hpcgen.nn.buffers import follow
from hpcgen.nn.kernels import kernels
from hpcgen.nn.optimizers import Optimizer
from hpcgen.nn.vector import Vector
from hpcgen.parallel.exchange.exchange import Exchange
from hpcgen.parallel.ownership import packed
from hpcgen.parallel.parts import Parts
from hpcgen.parallel.stopwatch import Stopwatch


class Player:
    """A player on this rank: its parameters theta, its exchange, and the state that this rank owns.

    The player takes `turns` turns in each step. With a `limit` its parameters stay in [-limit, limit].
    """

    def __init__(
        self,
        optimizer: Optimizer,
        exchange: Exchange,
        theta: Vector,
        turns: int = 1,
        limit: float | None = None,
    ) -> None:
        self.optimizer, self.exchange = optimizer, exchange
        self._turns, self._turn, self._limit = turns, 0, limit
        section = theta.layout.parameters
        ownership = exchange.ownership.within(section)
        self._parts = Parts(theta.layout, ownership, exchange.collect)
        mine = ownership.take(theta.data)
        slots = {slot: np.zeros_like(mine) for slot in optimizer.slots}
        average = mine.copy() if optimizer.average else None
        self.state = PlayerState(theta, slots, ownership, exchange.written.within(section), average)
        # The slices of this rank's sums that hold the derivatives of the parameters.
        self._derivatives = exchange.ownership.runs(section)
        # For each range of buffers with the same rule, if this rank owns a part of it: the slices of this
        # rank's sums, the ownership of the range, and the rule.
        self._buffers = [
            (exchange.ownership.runs(where), exchange.ownership.within(where), rule)
            for where, rule in theta.layout.buffer_rules()
            if exchange.ownership.runs(where)
        ]

    def update(self, step: int, watch: Stopwatch) -> dict[str, float]:
        """Sum the lane gradients of this turn over all ranks, and take the optimizer's step.

        Return the means of the statistics over the samples. Collective over the exchange.
        """
        with watch("exchange"):
            sums, statistics = self.exchange.reduce()
        count = statistics.pop("count")
        with watch("update"):
            self._move(step, sums, count)
            self._follow(sums, count)
        with watch("exchange"):
            self.exchange.gather(self.state.theta.data)
        return {name: total / count for name, total in statistics.items()}

    def _move(self, step: int, sums: np.ndarray, count: float) -> None:
        """Take the optimizer's step on the parameters that this rank owns."""
        state, optimizer, theta = self.state, self.optimizer, self.state.theta
        grad = packed(sums, self._derivatives)
        mine = state.ownership.take(theta.data)
        scale = optimizer.clipped(1 / count, grad, self._parts)
        self._turn, updates = (self._turn + 1) % self._turns, step * self._turns + self._turn + 1
        optimizer.step(mine, grad, state.slots, updates, optimizer.rate(step + 1), scale, self._parts)
        if self._limit:
            np.clip(mine, -self._limit, self._limit, out=mine)
        if state.average is not None:
            kernels(mine).approach(state.average, mine, 1 - optimizer.average)
        if not state.ownership.contiguous:
            state.ownership.put(theta.data, mine)

    def _follow(self, sums: np.ndarray, count: float) -> None:
        """Update the buffers that this rank owns with the means of the step, each by its rule."""
        theta = self.state.theta.data
        for runs, owned, rule in self._buffers:
            running = owned.take(theta)
            follow(rule, running, packed(sums, runs) / np.float32(count))
            if not owned.contiguous:
                owned.put(theta, running)

    def sampled(self) -> Vector:
        """Return the Vector to draw samples with: theta, or the mean of past parameters.

        Collective over the exchange.
        """
        state = self.state
        if state.average is None:
            return state.theta
        averaged = Vector(state.theta.layout, state.theta.data.copy())
        state.ownership.put(averaged.data, state.average)
        self.exchange.gather(averaged.data)
        return averaged
