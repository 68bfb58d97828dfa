import h5py
import numpy as np
import pytest
from mpi4py import MPI
from teams import cells_of

from hpcgen.data.prepare import prepare
from hpcgen.data.reading import DataFiles
from hpcgen.data.schema import Schema
from hpcgen.data.shards import Shards
from hpcgen.data.sources.array import Array
from hpcgen.errors import InputError
from hpcgen.parallel.cells import Grid
from hpcgen.parallel.deal import Deal, deal
from hpcgen.parallel.mesh import Mesh
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.team import Team


@pytest.fixture
def data(comm, folder):
    """A data file that somebody else made: 50 samples of their own number, no attributes."""
    if comm.rank == 0:
        with h5py.File(folder / "data.h5", "w") as file:
            file["samples"] = np.repeat(np.arange(50, dtype=np.float32)[:, None], 3, axis=1)
    comm.Barrier()
    return folder / "data.h5"


def test_a_batch_is_a_function_of_seed_step_and_lane(comm, data):
    lanes = Partition.even(7, comm.size)
    mine, alone = (
        Shards(str(data), comm, Deal(lanes), 4, 9),
        Shards(str(data), MPI.COMM_SELF, Deal(Partition([7])), 4, 9),
    )
    assert mine.schema == alone.schema == Schema((3,), "float32", "array", 0.0, 49.0)
    for step in [5, 0, 1, 2, 3, 4, 17]:
        for lane in range(lanes.total)[lanes.slice(comm.rank)]:
            assert np.array_equal(mine.batch(step, lane).samples, alone.batch(step, lane).samples)


def test_a_lane_reads_its_shard_epoch_by_epoch(comm, data):
    shards = Shards(str(data), comm, Deal(Partition.even(7, comm.size)), 3, 0)
    lane = Partition.even(7, comm.size).starts[comm.rank]
    shard = set(range(lane * 50 // 7, (lane + 1) * 50 // 7))
    stream = np.concatenate([shards.batch(step, lane).samples[:, 0] for step in range(len(shard))])
    epochs = stream.reshape(3, len(shard))
    assert all(set(epoch) == shard for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])


def test_data_that_cannot_be_used(comm, folder, data, made):
    def refused(message, path=data, lanes=7, lane_size=3):
        with pytest.raises(InputError, match=message):
            Shards(str(path), comm, Deal(Partition.even(lanes, comm.size)), lane_size, 0)

    bad = np.zeros((50, 2), np.float32)
    bad[33, 1] = np.nan
    refused("50 rows are fewer than train.lanes = 51", lanes=51)
    refused("train.lane_size = 8 is larger than a lane's shard, 7 rows", lane_size=8)
    refused("no such file", folder / "missing.h5")
    refused("row 33 of the samples holds NaN", made("nan.h5", samples=bad))
    refused("all samples are 5.0", made("constant.h5", samples=np.full((50, 2), 5, np.float32)))


def lane_of(comm, lanes=5):
    return Partition.even(lanes, comm.size).starts[comm.rank]


# Of 50 rows of 12 bytes over 5 lanes: blocks of 3, of 4 and of 10 rows, the last a whole shard.
BLOCKS = [36 / (1 << 20), 48 / (1 << 20), 1]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_shard_larger_than_a_block_is_read_in_blocks(comm, data, block):
    shards = Shards(str(data), comm, Deal(Partition.even(5, comm.size)), 3, 0, block)
    alone = Shards(str(data), MPI.COMM_SELF, Deal(Partition([5])), 3, 0, block)
    lane = lane_of(comm)
    read, held = [], []
    for draw in range(40):
        read.append(shards.batch(draw, lane).samples[:, 0])
        held.append(sum(len(rows) for rows in shards._lanes[lane]._loaded.values()))
    epochs = np.concatenate(read).reshape(12, 10)
    assert all(set(epoch) == set(range(10 * lane, 10 * lane + 10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert max(held) <= max(10 if block == 1 else 0, 8)
    for draw in [39, 0, 20, 21, 3]:
        assert np.array_equal(alone.batch(draw, lane).samples[:, 0], read[draw])
    shards.close()
    alone.close()


def test_blocks_are_shuffled_apart_and_among_each_other(comm, data):
    shards = Shards(str(data), comm, Deal(Partition.even(comm.size, comm.size)), 1, 0, 48 / (1 << 20))
    rows = [int(shards.batch(draw, comm.rank).samples[0, 0]) for draw in range(100 // comm.size)]
    first = 50 * comm.rank // comm.size
    blocks = [(row - first) // 4 for row in rows]
    runs = [block for i, block in enumerate(blocks) if i == 0 or block != blocks[i - 1]]
    assert runs != sorted(runs) and len(runs) <= 2 * (-(-(50 // comm.size + 1) // 4)) + 1
    shards.close()


def test_several_files_are_one(comm, made):
    numbers = np.arange(50, dtype=np.float32)[:, None]
    parts = [made(f"{i}.h5", samples=numbers[a:b]) for i, (a, b) in enumerate([(0, 7), (7, 8), (8, 50)])]
    whole = made("whole.h5", samples=numbers)
    lanes = Deal(Partition.even(5, comm.size))
    several, one = Shards(parts, comm, lanes, 3, 0), Shards(whole, comm, lanes, 3, 0)
    assert several.schema == one.schema and several.fingerprint != one.fingerprint
    for draw in range(5):
        assert np.array_equal(
            several.batch(draw, lane_of(comm)).samples, one.batch(draw, lane_of(comm)).samples
        )


@pytest.mark.parametrize("block", BLOCKS)
def test_inputs_and_labels_come_with_their_samples(comm, made, random, block):
    numbers = random.standard_normal((50, 2)).astype(np.float32)
    inputs, labels = np.hstack([numbers + 1, numbers * 3]), (numbers[:, 0] > 0) * 4
    path = made("columns.h5", samples=numbers, inputs=inputs, labels=labels.astype(np.int16))
    shards = Shards(path, comm, Deal(Partition.even(5, comm.size)), 3, 0, block)
    alone = Shards(path, MPI.COMM_SELF, Deal(Partition([5])), 3, 0, block)
    assert shards.schema == alone.schema and shards.schema.classes == 5
    assert shards.schema.inputs.mean == pytest.approx(inputs.mean(0), abs=1e-6)
    assert shards.schema.outputs.deviation == pytest.approx(numbers.std(0), rel=1e-6)
    for draw in range(8):
        rows = shards.batch(draw, lane_of(comm))
        assert np.array_equal(rows.inputs[:, :2], rows.samples + 1)
        assert np.array_equal(rows.labels, (rows.samples[:, 0] > 0) * 4) and rows.labels.dtype == np.int64


@pytest.fixture
def divided(comm):
    """divided(path, grid, space): the Shards of 5 lanes, each shared by `space` ranks; the team; the deal."""
    meshes = []

    def divided(path, grid, space, block=64, weights=(), lanes=5):
        dealt = deal(lanes, int(np.prod(grid)), comm.size, space, weights)
        mesh = Mesh.of(comm, dealt.space)
        meshes.append(mesh)
        team = Team(mesh.team, Grid(grid), dealt.cells_in(dealt.team(comm.rank)))
        return Shards(path, comm, dealt, 3, 0, block, team), team, dealt

    yield divided
    for mesh in meshes:
        mesh.close()


def spaces(comm, cells):
    """Return how many ranks can share a lane of so many cells."""
    return [space for space in range(1, min(comm.size, cells) + 1) if comm.size % space == 0]


@pytest.mark.parametrize("grid", [(3,), (2, 2), (2, 1, 2)])
@pytest.mark.parametrize("block", [640 / (1 << 20), 64], ids=["in blocks", "in memory"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_rank_reads_the_cells_that_it_has(
    comm, folder, random, divided, monkeypatch, grid, block, dtype, made
):
    """And nothing else of the samples; the rows and the schema are those of whole samples."""
    samples, labels = (100 * random.random((50, 5, 4, 2))).astype(dtype), random.integers(0, 7, 50)
    path = made("images.h5", samples=samples, labels=labels)
    whole = Shards(path, MPI.COMM_SELF, Deal(Partition([5])), 3, 0, block)
    read, asked = DataFiles.read, []

    def watched(files, start, stop, *rest):
        rows = read(files, start, stop, *rest)
        asked.append(0 if rows.samples is None else rows.samples[:1].size)
        return rows

    monkeypatch.setattr(DataFiles, "read", watched)
    for space in spaces(comm, int(np.prod(grid))):
        asked.clear()
        for weights in ((), [1 + rank for rank in range(comm.size)]):
            shards, team, dealt = divided(path, grid, space, block, weights)
            assert shards.schema == whole.schema and shards.fingerprint == whole.fingerprint
            for draw in (0, 1, 7, 8, 3):
                for lane in dealt.lanes_of(comm.rank):
                    rows, expected = shards.batch(draw, lane), whole.batch(draw, lane)
                    assert rows.samples.team is team and rows.samples.dtype == dtype
                    cells = cells_of(team, expected.samples).cells
                    assert all(map(np.array_equal, rows.samples.cells, cells))
                    assert np.array_equal(rows.labels, expected.labels) and len(rows) == 3
            shards.close()
        most = max(int(np.prod(team.grid.sizes(cell, (5, 4, 2)))) for cell in team.mine)
        assert max(asked) <= most
    whole.close()


@pytest.mark.parametrize("grid", [(2,), (3, 2)])
def test_columns_of_inputs_and_outputs_do_not_depend_on_the_cells(comm, folder, random, divided, grid, made):
    samples, inputs = (random.random((50, *shape), dtype=np.float32) for shape in ((3, 5), (4,)))
    path = made("columns.h5", samples=samples, inputs=inputs)
    whole = Shards(path, MPI.COMM_SELF, Deal(Partition([5])), 3, 0)
    for space in spaces(comm, int(np.prod(grid))):
        shards, _, dealt = divided(path, grid, space)
        assert shards.schema == whole.schema
        lane = dealt.lanes_of(comm.rank)[0]
        assert np.array_equal(shards.batch(2, lane).inputs, whole.batch(2, lane).inputs)


def test_cells_that_samples_do_not_have_are_refused(comm, folder, random, divided, made):
    path = made("images.h5", samples=random.random((50, 3, 2), dtype=np.float32))
    refusals = {
        (2, 2, 2): "train.cells has 3 numbers, but samples of 3 x 2 have 2 axes",
        (4,): r"train.cells = \[4\]: samples of 3 x 2 have 3 places on axis 0; use at most 3 cells there",
        (
            3,
            5,
        ): r"train.cells = \[3, 5\]: samples of 3 x 2 have 2 places on axis 1; use at most 2 cells there",
    }
    for grid, message in refusals.items():
        with pytest.raises(InputError, match=message):
            divided(path, grid, 1)
    shards, _, _ = divided(path, (3, 2), 1)
    shards.close()


def test_the_channels_of_images_are_not_places(comm, folder, random, divided):
    if comm.rank == 0:
        with h5py.File(folder / "images.h5", "w") as file:
            file["samples"] = random.random((50, 3, 4, 3), dtype=np.float32)
            file.attrs["kind"] = "image"
    comm.Barrier()
    for grid in ((2, 2, 1), (2, 2, 2)):
        with pytest.raises(InputError, match="has 3 numbers, but images of 3 x 4 x 3 have 2 spatial axes"):
            divided(str(folder / "images.h5"), grid, 1)


def test_damage_in_a_cell_is_found(comm, folder, random, divided):
    """A rank verifies what it reads of large samples: the boxes in which its cells lie."""
    if comm.rank == 0:
        np.save(folder / "x.npy", random.random((15, 64, 128), dtype=np.float32))
    comm.Barrier()
    prepare(lambda: Array(folder / "x.npy"), folder / "x.h5", comm)
    shards, _, _ = divided(str(folder / "x.h5"), (2, 2), 0)
    shards.close()
    comm.Barrier()
    if comm.rank == 0:
        with h5py.File(folder / "x.h5", "r+") as file:
            file["samples"][7, 63, 127] += 1
    comm.Barrier()
    with pytest.raises(InputError, match="/samples differs from its checksum"):
        divided(str(folder / "x.h5"), (2, 2), 0)
