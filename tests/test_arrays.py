"""Models train, are restored, draw samples and are evaluated on arrays of another kind than NumPy's: the same
bits."""

from contextlib import closing

import device
import pytest
from networks import NETWORKS, run_file, write_data

from hpcgen.checkpoints.comparison import compare
from hpcgen.config.reading import parse_config
from hpcgen.evaluation.evaluate import evaluate
from hpcgen.models import MODELS
from hpcgen.sampling.options import SampleOptions
from hpcgen.sampling.sample import sample
from hpcgen.training.loop import Training


def train(config, comm, path, start=()):
    """Train from the checkpoints `start` on, and write a checkpoint. Return the types of the arrays."""
    with closing(Training(config, comm)) as training:
        training.resume(start)
        training.run([])
        training.save(path)
        return {type(array) for player in training.players.values() for array in player.state.parts.values()}


@pytest.fixture
def on_both(comm, folder, monkeypatch):
    """on_both(name, settings): use a network on NumPy's arrays and on the device, and compare all results."""

    def run(config, data, here):
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

    def on_both(name, settings=()):
        data = folder / "data.h5"
        if comm.rank == 0:
            write_data(data, NETWORKS[name][0])
        text = run_file(name, data)

        def config(steps):
            return parse_config(text, [f"train.steps={steps}", *settings])

        _, *expected = run(config, data, folder / "host")
        device.use(monkeypatch)
        types, *found = run(config, data, folder / "device")
        assert types == {device.DeviceArray}
        assert found == expected
        assert compare(folder / "host/three.h5", folder / "device/three.h5", comm) == 0

    return on_both


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(on_both, name):
    on_both(name)


@pytest.mark.parametrize("name", ["lars", "lamb"])
def test_optimizers_that_take_norms(on_both, name):
    on_both("seedgan", [f"optimizer.name={name}", "optimizer.average=0.9", "optimizer.clip_norm=0.01"])


def test_the_exchange_by_allreduce(on_both):
    on_both("seedgan", ["parallel.exchange=allreduce"])


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
