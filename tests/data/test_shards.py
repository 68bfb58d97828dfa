import h5py
import numpy as np
import pytest
from mpi4py import MPI

from hpcgen.data.schema import Schema
from hpcgen.data.shards import Shards
from hpcgen.errors import InputError
from hpcgen.models.units import Interval
from hpcgen.parallel.partition import Partition


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
    mine, alone = Shards(str(data), comm, lanes, 4, 9), Shards(str(data), MPI.COMM_SELF, Partition([7]), 4, 9)
    assert mine.schema == alone.schema == Schema((3,), "float32", "array", 0.0, 49.0)
    for step in [5, 0, 1, 2, 3, 4, 17]:
        for lane in range(lanes.total)[lanes.slice(comm.rank)]:
            assert np.array_equal(mine.batch(step, lane).samples, alone.batch(step, lane).samples)


def test_a_lane_reads_its_shard_epoch_by_epoch(comm, data):
    shards = Shards(str(data), comm, Partition.even(7, comm.size), 3, 0)
    lane = Partition.even(7, comm.size).starts[comm.rank]
    shard = set(range(lane * 50 // 7, (lane + 1) * 50 // 7))
    stream = np.concatenate([shards.batch(step, lane).samples[:, 0] for step in range(len(shard))])
    epochs = stream.reshape(3, len(shard))
    assert all(set(epoch) == shard for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])


def test_data_that_cannot_be_used(comm, folder, data):
    def refused(message, path=data, lanes=7, lane_size=3):
        with pytest.raises(InputError, match=message):
            Shards(str(path), comm, Partition.even(lanes, comm.size), lane_size, 0)

    def made(name, **datasets):
        if comm.rank == 0:
            with h5py.File(folder / name, "w") as file:
                for key, value in datasets.items():
                    file[key] = value
        comm.Barrier()
        return folder / name

    bad = np.zeros((50, 2), np.float32)
    bad[33, 1] = np.nan
    refused("50 rows are fewer than train.lanes = 51", lanes=51)
    refused("train.lane_size = 8 is larger than a lane's shard, 7 rows", lane_size=8)
    refused("no such file", folder / "missing.h5")
    refused("no dataset /samples", made("other.h5", other=bad))
    refused("row 33 of the samples holds NaN", made("nan.h5", samples=bad))
    refused("all samples are 5.0", made("constant.h5", samples=np.full((50, 2), 5, np.float32)))
    refused("/samples is float64", made("double.h5", samples=np.zeros((50, 2))))
    refused("/samples is float32 of shape", made("flat.h5", samples=np.zeros(50, np.float32)))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("interval", [(-1.0, 1.0), (0.0, 1.0)])
def test_scales_go_there_and_back(dtype, interval):
    units = Interval(Schema((4,), dtype, "array", 0.0, 255.0), *interval)
    samples = np.array([[0, 1, 128, 255]], dtype)
    x = units.encode(samples)
    assert x.dtype == np.float32 and (x[0, 0], x[0, -1]) == pytest.approx(interval)
    back = units.decode(x)
    assert back.dtype == dtype and back == pytest.approx(samples, abs=1e-4)
