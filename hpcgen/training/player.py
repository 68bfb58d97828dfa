"""A player of a run on one rank: its exchange, its optimizer's step, and the numbers that these keep."""

from time import perf_counter

import numpy as np

from hpcgen.checkpoints.state import PlayerState
from hpcgen.nn.buffers import follow
from hpcgen.nn.kernels import kernels
from hpcgen.nn.parts import Parts
from hpcgen.nn.vector import Vector
from hpcgen.parallel.partition import BLOCK


class Player:
    """A player on this rank: its parameters theta, its exchange, and the part of its other state that this rank owns.

    It takes `turns` turns a step. Its parameters stay in -limit to limit, if there is one.
    """

    def __init__(self, optimizer, exchange, theta, turns=1, limit=None):
        self.optimizer, self.exchange = optimizer, exchange
        self._turns, self._turn, self._limit = turns, 0, limit
        owned, end = exchange.owned, theta.layout.parameters.stop
        self._moves = slice(min(owned.start, end), min(owned.stop, end))
        self._follows = slice(max(owned.start, end), max(owned.stop, end))
        # The ranges of the buffers that this rank owns, and their rules.
        clipped = [
            (max(where.start, self._follows.start), min(where.stop, self._follows.stop), rule)
            for where, rule in theta.layout.buffer_rules()
        ]
        self._buffers = [(start, stop, rule) for start, stop, rule in clipped if start < stop]
        self._parts = Parts(theta.layout, self._moves, BLOCK, exchange.collect)
        mine = theta.data[self._moves]
        slots = {slot: np.zeros_like(mine) for slot in optimizer.slots}
        self.state = PlayerState(theta, slots, owned, mine.copy() if optimizer.average else None)

    def update(self, step, watch):
        """Sum this step's lanes over all ranks and take the optimizer's step; return the statistics' means over samples."""
        with watch("exchange"):
            sums, statistics = self.exchange.reduce()
        count = statistics.pop("count")
        theta, state, optimizer = self.state.theta.data, self.state, self.optimizer
        with watch("update"):
            mine, moving = theta[self._moves], self._moves.stop - self._moves.start
            scale = optimizer.clipped(1 / count, sums[:moving], self._parts)
            self._turn, updates = (self._turn + 1) % self._turns, step * self._turns + self._turn + 1
            optimizer.step(
                mine, sums[:moving], state.slots, updates, optimizer.rate(step + 1), scale, self._parts
            )
            if self._limit:
                np.clip(mine, -self._limit, self._limit, out=mine)
            if state.average is not None:
                kernels(theta).approach(state.average, mine, 1 - optimizer.average)
            if moving < len(sums):
                mean = sums[moving:] / np.float32(count)
                for start, stop, rule in self._buffers:
                    first = self._follows.start
                    follow(rule, theta[start:stop], mean[start - first : stop - first])
        with watch("exchange"):
            self.exchange.gather(theta)
        return {name: total / count for name, total in statistics.items()}

    def sampled(self):
        """Return the Vector that samples are made from: theta, or the average of past ones. Collective over the exchange."""
        if self.state.average is None:
            return self.state.theta
        averaged = Vector(self.state.theta.layout, self.state.theta.data.copy())
        averaged.data[self._moves] = self.state.average
        self.exchange.gather(averaged.data)
        return averaged


class Stopwatch:
    """Seconds spent in each named part of a run on this rank."""

    def __init__(self):
        self.seconds = {}
        self._part = None

    def __call__(self, part):
        self._part = part
        return self

    def __enter__(self):
        self._start = perf_counter()

    def __exit__(self, *error):
        self.seconds[self._part] = self.seconds.get(self._part, 0.0) + perf_counter() - self._start
