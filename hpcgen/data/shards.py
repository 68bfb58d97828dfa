"""The shards of the data that a rank's lanes train on. They stay in memory, or are read ahead in blocks."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcgen.arrays import Shape, shown
from hpcgen.data.reading import DataFiles, paths_of
from hpcgen.data.rows import Rows
from hpcgen.data.schema import Columns, Schema
from hpcgen.errors import InputError
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.team import Team
from hpcgen.streams import Purpose, stream

if TYPE_CHECKING:
    from mpi4py import MPI

MIB = 1 << 20


class Shards:
    """The rows of a rank's lanes.

    Lane l of L owns the rows [l n / L, (l + 1) n / L). It reads them as an endless stream of epochs, each in
    a new order, `lane_size` rows at a time. A batch depends only on (seed, draw, lane).

    A shard of at most `block` MiB stays in memory and is shuffled as a whole. A larger one is read in blocks
    of that size. Each epoch reads the blocks in a new order, and shuffles the rows within each block. A
    thread reads the next block while one is used, so a lane holds two blocks.

    `deal` gives each rank its lanes. With a `team`, a rank reads only its cells of each sample. Attributes:
    `schema`, and `fingerprint`, which differs for other data. Collective over `comm`. Raises InputError for
    data that cannot be used.
    """

    def __init__(
        self,
        path: str | list[str],
        comm: "MPI.Comm",
        deal: Deal,
        lane_size: int,
        seed: int,
        block: float = 64,
        team: Team | None = None,
    ) -> None:
        self._lane_size, lanes, self._team = lane_size, deal.lanes.total, team
        paths = paths_of(path)
        with ExitStack() as stack:
            with agree(comm):
                files = stack.enter_context(DataFiles(paths))
                self._check(", ".join(paths), files.rows, lanes)
                shards = Partition.even(files.rows, lanes)
                rows = max(lane_size, int(block * MIB) // files.row_bytes)
                read: Reader = files.read
                self._unpacked = _as_it_is
                if team is not None:
                    cells = CellReader(files, team)
                    read, self._unpacked = cells.read, cells.unpacked
                reader = ThreadPoolExecutor(1, "data")
                stack.callback(reader.shutdown, cancel_futures=True)
                self._lanes = {
                    lane: _Lane(shards.slice(lane), rows, read, reader, seed, lane)
                    for lane in deal.lanes_of(comm.rank)
                }
                found = [lane.survey(files) for lane in self._lanes.values()]
            self.fingerprint = files.fingerprint
            surveys = comm.allgather(found)
            if team is not None:
                teams = range(0, comm.size, deal.space)
                surveys = [cells.united(surveys[first : first + deal.space]) for first in teams]
            self.schema = _completed(files.schema, [lane for lanes in surveys for lane in lanes])
            if not self.schema.low < self.schema.high and not self.schema.inputs:
                raise InputError(
                    f"{', '.join(paths)}: all samples are {self.schema.low}; there is nothing to learn"
                )
            self._open = stack.pop_all()
        if all(lane.in_memory for lane in self._lanes.values()):
            self.close()

    def _check(self, path: str, rows: int, lanes: int) -> None:
        if rows < lanes:
            raise InputError(f"{path}: {rows} rows are fewer than train.lanes = {lanes}; use fewer lanes")
        if rows // lanes < self._lane_size:
            raise InputError(
                f"train.lane_size = {self._lane_size} is larger than a lane's shard, {rows // lanes} rows "
                f"({rows} rows of {path} over {lanes} lanes); use smaller or fewer lanes"
            )

    def batch(self, draw: int, lane: int) -> Rows:
        """Return the lane_size `Rows` of the lane's batch number `draw`, as the file holds them.

        With a team the samples are `Divided`.
        """
        return self._unpacked(self._lanes[lane].batch(draw * self._lane_size, self._lane_size))

    def close(self) -> None:
        self._open.close()


# A function (start, stop, names) that returns rows [start, stop) of these columns.
Reader = Callable[..., Rows]


class CellReader:
    """Read only this rank's cells of each sample."""

    def __init__(self, files: DataFiles, team: Team) -> None:
        self._files, self._team, self._shape = files, team, files.schema.shape
        shape, axes = self._shape, len(team.grid.shape)
        _require_places(team.grid.shape, files.schema)
        self._regions = [team.grid.region(cell, shape[:axes]) for cell in team.mine]
        self._shapes = [
            (*(axis.stop - axis.start for axis in region), *shape[axes:]) for region in self._regions
        ]

    def read(self, start: int, stop: int, names: Sequence[str] = Rows._fields) -> Rows:
        """Return rows [start, stop). Their samples are packed: (n, numbers), this rank's cells one after the
        other."""
        others = self._files.read(start, stop, [name for name in names if name != "samples"])
        if "samples" not in names:
            return others
        cells = [self._files.read(start, stop, ("samples",), region).samples for region in self._regions]
        packed = np.concatenate([cell.reshape(len(cell), -1) for cell in cells], axis=1)
        return Rows(packed, others.inputs, others.labels)

    def unpacked(self, rows: Rows) -> Rows:
        """Return the rows that `read` returned, with `Divided` samples."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])
        parts = np.split(rows.samples, ends[:-1], axis=1)
        cells = [part.reshape(len(rows), *shape) for part, shape in zip(parts, self._shapes, strict=True)]
        return Rows(self._team.divided(cells), rows.inputs, rows.labels)

    def united(self, ranks: Sequence[list["Survey"]]) -> list["Survey"]:
        """Return the surveys of a team's lanes. `ranks` holds the surveys that each rank made of its
        cells."""
        united = []
        for lane in zip(*ranks, strict=True):
            extremes, classes, inputs, outputs = zip(*lane, strict=True)
            low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
            united.append(((low, high), max(classes), inputs[0], self._of_whole_samples(outputs)))
        return united

    def _of_whole_samples(self, cells: Sequence["_Moments"]) -> "_Moments":
        """Return the moments of whole samples. `cells` holds the moments of each rank's cells."""
        if not cells[0].count:
            return cells[0]
        mean, squares = (
            self._whole(np.concatenate(each))
            for each in ([m.mean for m in cells], [m.squares for m in cells])
        )
        return _Moments(cells[0].count, mean, squares)

    def _whole(self, packed: np.ndarray) -> np.ndarray:
        """Return the numbers of a whole sample in their order. `packed` holds all cells, one after the
        other."""
        grid, whole, start = self._team.grid, np.empty(self._shape, packed.dtype), 0
        for cell in range(len(grid)):
            place = whole[grid.region(cell, self._shape[: len(grid.shape)])]
            place[...] = packed[start : start + place.size].reshape(place.shape)
            start += place.size
        return whole.reshape(-1)


def _as_it_is(rows: Rows) -> Rows:
    return rows


def _require_places(cells: Shape, schema: Schema) -> None:
    """Raise InputError if samples have fewer axes, or fewer places on an axis, than there are cells."""
    image, shape = schema.kind == "image", schema.shape
    # The third axis of images has their channels. Those of other samples may have channels or not.
    places = shape[:2] if image else shape
    if len(cells) > len(places):
        axes = (
            f"images of {shown(shape)} have 2 spatial axes"
            if image
            else (f"samples of {shown(shape)} have {len(shape)} axes")
        )
        raise InputError(f"train.cells has {len(cells)} numbers, but {axes}")
    for axis, (count, size) in enumerate(zip(cells, places, strict=False)):
        if count > size:
            raise InputError(
                f"train.cells = {list(cells)}: samples of {shown(shape)} have {size} places on axis {axis}; "
                f"use at most {size} cells there"
            )


class _Lane:
    """One lane's shard: `rows` (a slice of the data), in blocks of `size` rows."""

    def __init__(
        self,
        rows: slice,
        size: int,
        read: Callable[..., Rows],
        reader: ThreadPoolExecutor,
        seed: int,
        lane: int,
    ) -> None:
        self.count = rows.stop - rows.start
        starts = range(rows.start, rows.stop, size)
        self._blocks = [slice(start, min(start + size, rows.stop)) for start in starts]
        self._read, self._reader = read, reader
        self._random = lambda epoch, part: stream(seed, Purpose.SHUFFLE, epoch, lane, part)
        self._epochs: dict[int, tuple[list[int], np.ndarray, dict[int, np.ndarray]]] = {}
        self._loaded: dict[int, Rows] = {}
        self._waiting: dict[int, Future[Rows]] = {}
        self.in_memory = len(self._blocks) == 1
        if self.in_memory:
            self._loaded[0] = read(rows.start, rows.stop)

    def survey(self, files: DataFiles) -> "Survey":
        """Return (extremes, classes, moments of inputs, moments of samples) of the shard's rows."""
        columns = {"inputs", "samples"} if "inputs" in files.names else set()
        extremes = files.schema.low is None and files.schema.dtype != "uint8"
        columns |= ({"samples"} if extremes else set()) | ({"labels"} & set(files.names))
        low, high, classes, moments = np.inf, -np.inf, 0, [_Moments(), _Moments()]
        for index, block in enumerate(self._blocks if columns else ()):
            rows = (
                self._loaded[index] if index in self._loaded else self._read(block.start, block.stop, columns)
            )
            if rows.samples is not None:
                low, high = min(low, float(rows.samples.min())), max(high, float(rows.samples.max()))
            if rows.labels is not None:
                classes = max(classes, int(rows.labels.max()) + 1)
            if rows.inputs is not None:
                moments = [moments[0] + _Moments.of(rows.inputs), moments[1] + _Moments.of(rows.samples)]
        return (low, high), classes, moments[0], moments[1]

    def batch(self, position: int, size: int) -> Rows:
        """Return `size` rows, starting at `position` in the endless stream of epochs."""
        parts, left = [], size
        while left:
            epoch, offset = divmod(position, self.count)
            sequence, ends = self._epoch(epoch)
            k = int(np.searchsorted(ends, offset, side="right"))
            order = self._order(epoch, sequence[k])
            first = offset - (ends[k] - len(order))
            chosen = order[first : first + left]
            parts.append(self._block(sequence[k]).map(itemgetter(chosen)))
            position, left = position + len(chosen), left - len(chosen)
        self._move_on(epoch, k)
        return Rows.joined(parts)

    def _epoch(self, epoch: int) -> tuple[list[int], np.ndarray]:
        """Return the blocks in the order of the epoch, and the position at which each block ends."""
        if epoch not in self._epochs:
            self._epochs.pop(epoch - 2, None)
            sequence = self._random(epoch, 0).permutation(len(self._blocks)).tolist()
            sizes = [self._blocks[b].stop - self._blocks[b].start for b in sequence]
            self._epochs[epoch] = (sequence, np.cumsum(sizes), {})
        return self._epochs[epoch][:2]

    def _order(self, epoch: int, block: int) -> np.ndarray:
        """Return the order of a block's rows in an epoch."""
        orders = self._epochs[epoch][2]
        if block not in orders:
            size = self._blocks[block].stop - self._blocks[block].start
            orders[block] = self._random(epoch, 1 + block).permutation(size)
        return orders[block]

    def _block(self, block: int) -> Rows:
        if block in self._waiting:
            self._loaded[block] = self._waiting.pop(block).result()
        if block not in self._loaded:
            self._loaded[block] = self._read(self._blocks[block].start, self._blocks[block].stop)
        return self._loaded[block]

    def _move_on(self, epoch: int, k: int) -> None:
        """Drop the blocks before the k-th of the epoch, and start to read the next one."""
        if self.in_memory:
            return
        sequence, _ = self._epoch(epoch)
        following = sequence[k + 1] if k + 1 < len(sequence) else self._epoch(epoch + 1)[0][0]
        wanted, orders = (sequence[k], following), self._epochs[epoch][2]
        for held in (self._loaded, orders):
            for block in [block for block in held if block not in wanted]:
                del held[block]
        if following not in self._loaded and following not in self._waiting:
            where = self._blocks[following]
            self._waiting[following] = self._reader.submit(self._read, where.start, where.stop)


class _Moments:
    """Count, mean and sum of squared deviations of columns, in float64. They are added as in Chan et al.
    1979."""

    def __init__(self, count: int = 0, mean: Any = 0.0, squares: Any = 0.0) -> None:
        self.count, self.mean, self.squares = count, mean, squares

    @classmethod
    def of(cls, rows: np.ndarray) -> "_Moments":
        rows = rows.reshape(len(rows), -1).astype(np.float64)
        mean = rows.mean(0)
        return cls(len(rows), mean, np.square(rows - mean).sum(0))

    def __add__(self, other: "_Moments") -> "_Moments":
        count = self.count + other.count
        apart, share = other.mean - self.mean, other.count / max(count, 1)
        squares = self.squares + other.squares + self.count * share * apart * apart
        return _Moments(count, self.mean + share * apart, squares)

    def columns(self) -> Columns:
        """Return the `Columns`. A constant column gets deviation 1."""
        deviation = np.sqrt(self.squares / self.count)
        return Columns(tuple(self.mean.tolist()), tuple(np.where(deviation > 0, deviation, 1.0).tolist()))


# The extremes of a shard's samples, its classes, and the moments of its inputs and of its samples.
Survey = tuple[tuple[float, float], int, _Moments, _Moments]


def _completed(schema: Schema, lanes: Sequence[Survey]) -> Schema:
    """Return the schema, completed with the surveys of all lanes in lane order."""
    extremes, classes, inputs, outputs = zip(*lanes, strict=True)
    if schema.low is None:
        low, high = (
            (0.0, 255.0)
            if schema.dtype == "uint8"
            else (min(e[0] for e in extremes), max(e[1] for e in extremes))
        )
        schema = replace(schema, low=low, high=high)
    moments: list[_Moments] = [sum(each, _Moments()) for each in (inputs, outputs)]
    if moments[0].count:
        schema = replace(schema, inputs=moments[0].columns(), outputs=moments[1].columns())
    return replace(schema, classes=max(classes))
