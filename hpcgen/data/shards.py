"""The lanes' shards of a data file in memory, and the batch of a lane at a step."""

import numpy as np

from hpcgen.data.file import Scale, declared_range, fingerprint, open_data, read_samples
from hpcgen.data.prepare import value_range
from hpcgen.errors import InputError
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition
from hpcgen.streams import Purpose, stream


class Shards:
    """The rows of a rank's lanes. Lane l of L owns rows [l n / L, (l + 1) n / L), and reads them as an endless stream of
    epochs, each in a new order, `lane_size` rows a step: what a batch holds follows from (seed, step, lane) alone.

    `lanes` is the Partition of lanes over ranks. Attributes: `scale`, and `fingerprint`, which tells data files apart.
    Collective over `comm`; raises InputError for data that cannot be used.
    """

    def __init__(self, path, comm, lanes, lane_size, seed):
        self._lane_size, self._seed = lane_size, seed
        mine = lanes.slice(comm.rank)
        with agree(comm), open_data(path) as file:
            shape = file["samples"].shape
            self._check(path, shape[0], lanes.total)
            self._rows = Partition.even(shape[0], lanes.total)
            self._first = self._rows.starts[mine.start]
            self._samples = read_samples(file, self._first, self._rows.slice(mine.stop - 1).stop)
            kind, limits = str(file.attrs.get("kind", "array")), declared_range(file)
            self.fingerprint = fingerprint(file)
        low, high = limits or value_range(comm, self._samples)
        if not low < high:
            raise InputError(f"{path}: all samples are {low}; there is nothing to learn")
        self.scale = Scale(shape[1:], str(self._samples.dtype), kind, low, high)
        self._epochs = {}

    def _check(self, path, rows, lanes):
        if rows < lanes:
            raise InputError(f"{path}: {rows} rows are fewer than train.lanes = {lanes}; use fewer lanes")
        if rows // lanes < self._lane_size:
            raise InputError(
                f"train.lane_size = {self._lane_size} is larger than a lane's shard, {rows // lanes} rows "
                f"({rows} rows of {path} over {lanes} lanes); use smaller or fewer lanes"
            )

    def batch(self, step, lane):
        """Return the samples (lane_size, *shape) of `lane` at `step`, as they lie in the file."""
        shard = self._rows.counts[lane]
        epoch, position = divmod(step * self._lane_size, shard)
        rows = self._epoch(lane, epoch)[position : position + self._lane_size]
        if len(rows) < self._lane_size:
            rows = np.concatenate([rows, self._epoch(lane, epoch + 1)[: self._lane_size - len(rows)]])
        return self._samples[rows + (self._rows.starts[lane] - self._first)]

    def _epoch(self, lane, epoch):
        """Return the order of the lane's rows in an epoch; the lane's two latest orders are kept."""
        orders = self._epochs.setdefault(lane, {})
        if epoch not in orders:
            orders.pop(epoch - 2, None)
            orders[epoch] = stream(self._seed, Purpose.SHUFFLE, epoch, lane).permutation(self._rows.counts[lane])
        return orders[epoch]
