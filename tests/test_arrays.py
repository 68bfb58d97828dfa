"""Arrays come from one place, with the type that is asked for. Models train, are restored, draw samples and
are evaluated on arrays of another kind than NumPy's: the same bits."""

from contextlib import closing

import device
import numpy as np
import pytest
from mpi4py import MPI
from networks import NETWORKS, run_file, write_data

from hpcgen import arrays
from hpcgen.checkpoints.comparison import compare
from hpcgen.config.reading import parse_config
from hpcgen.evaluation.evaluate import evaluate
from hpcgen.models import MODELS
from hpcgen.sampling.options import SampleOptions
from hpcgen.sampling.sample import sample
from hpcgen.training.loop import Training

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@DTYPES
@pytest.mark.parametrize("shape", [(3, 4), (0,), 5])
def test_new_arrays(shape, dtype):
    zeros, empty = arrays.zeros(shape, dtype), arrays.empty(shape, dtype)
    assert zeros.shape == empty.shape == np.empty(shape).shape and zeros.dtype == empty.dtype == dtype
    assert not zeros.any()


def test_the_type_is_float32_unless_another_is_asked_for(random):
    made = [
        arrays.zeros(3),
        arrays.empty(3),
        arrays.uniform(random, (3,)),
        arrays.standard_normal(random, (3,)),
    ]
    assert {array.dtype for array in made} == {np.dtype(np.float32)}


@DTYPES
@pytest.mark.parametrize("draw, method", [("uniform", "random"), ("standard_normal", "standard_normal")])
def test_random_numbers_are_those_of_their_stream(draw, method, dtype):
    """Their bits are part of what a seed means."""
    found = getattr(arrays, draw)(np.random.default_rng(3), (4, 5), dtype)
    expected = getattr(np.random.default_rng(3), method)((4, 5), dtype=dtype)
    assert found.dtype == dtype and found.tobytes() == expected.tobytes()


def test_the_host_and_the_device_are_one():
    x = np.arange(3.0)
    assert arrays.to_host(arrays.from_host(x)) is x


def train(config, comm, path, start=()):
    """Train from the checkpoints `start` on, and write a checkpoint. Return the types of the arrays."""
    with closing(Training(config, comm)) as training:
        training.resume(start)
        training.run([])
        training.save(path)
        return {type(array) for player in training.players.values() for array in player.state.parts.values()}


def use(config, comm, data, here):
    """Train, restore, evaluate and sample. Return the types of the arrays, the measures and the samples."""
    if comm.rank == 0:
        here.mkdir()
    comm.Barrier()
    train(config(2), comm, here / "two.h5")
    types = train(config(3), comm, here / "three.h5", [here / "two.h5"])
    measures = evaluate(here / "three.h5", data, comm)
    source = MODELS[config(3).model.kind].source
    if source:
        inputs = data if source == "inputs" else None
        sample(here / "three.h5", comm, SampleOptions(9, out=here / "samples.npy", inputs=inputs))
    return types, measures, (here / "samples.npy").read_bytes() if source else b""


@pytest.fixture
def on_both(monkeypatch):
    """on_both(name, comm, folder, settings): use a network on NumPy's arrays and on the device's; compare."""

    def on_both(name, comm, folder, settings=()):
        data = folder / "data.h5"
        if comm.rank == 0:
            write_data(data, NETWORKS[name][0])
        text = run_file(name, data)

        def config(steps):
            return parse_config(text, [f"train.steps={steps}", *settings])

        _, *expected = use(config, comm, data, folder / "host")
        device.use(monkeypatch)
        types, *found = use(config, comm, data, folder / "device")
        assert types == {device.DeviceArray}
        assert found == expected
        assert compare(folder / "host/three.h5", folder / "device/three.h5", comm) == 0

    return on_both


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(on_both, tmp_path, name):
    on_both(name, MPI.COMM_SELF, tmp_path)


@pytest.mark.parametrize("optimizer", ["adam", "lars", "lamb"])
def test_ranks_that_exchange_sums_norms_and_parameters(on_both, comm, folder, optimizer):
    settings = [f"optimizer.name={optimizer}", "optimizer.average=0.9", "optimizer.clip_norm=0.01"]
    on_both("dcgan64", comm, folder, settings)


def test_the_exchange_by_allreduce(on_both, comm, folder):
    on_both("seedgan", comm, folder, ["parallel.exchange=allreduce"])


@pytest.mark.parametrize("name", ["dcgan28", "layers", "penalty", "conv-vae", "classifier"])
def test_samples_divided_into_cells(on_both, comm, folder, name):
    """All ranks share each lane. A rank alone sends nothing, but gathers, adds and cuts too."""
    on_both(name, comm, folder, ["train.cells=[2, 2]", f"parallel.space={comm.size}"])


def test_the_device_refuses_arrays_in_host_memory():
    x = device.zeros(3)
    for mistake in (
        lambda: x + x.host,
        lambda: x[x.host.astype(int)],
        lambda: x.__setitem__(slice(None), x.host),
        lambda: memoryview(x),
        lambda: x.tolist(),
        lambda: x.host + x,
    ):
        with pytest.raises(TypeError):
            mistake()
