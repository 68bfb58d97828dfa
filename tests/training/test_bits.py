"""A run on all ranks has the same parameters as on one rank, bit for bit, for every network, optimizer,
distribution of lanes and number of threads."""

from contextlib import closing

import numpy as np
import pytest
from mpi4py import MPI
from networks import LANES, NETWORKS, run_file, write_data

from hpcgen.config.reading import parse_config
from hpcgen.nn.layers.normalization import BatchNorm
from hpcgen.parallel.threads import Workers
from hpcgen.streams import Purpose, stream
from hpcgen.training.loop import Training


@pytest.fixture
def data(comm, folder):
    """data(kind): the path of a data file of random samples."""

    def make(kind):
        path = folder / f"{kind}.h5"
        if comm.rank == 0:
            write_data(path, kind)
        comm.Barrier()
        return path

    return make


def bits(text, world, steps, threads=1, settings=()):
    with closing(Training(parse_config(text, [f"train.steps={steps}", *settings]), world)) as training:
        training.workers.close()
        training.schedule.workers = training.workers = Workers(threads)
        training.run([])
        parts = [part for player in training.players.values() for part in player.sampled().data]
        return np.array(parts).tobytes()


def same_everywhere(comm, text, steps):
    expected = bits(text, MPI.COMM_SELF, steps)
    for weights in ([], list(range(1, comm.size + 1)), [50] + [1] * (comm.size - 1)):
        assert bits(text, comm, steps, settings=[f"parallel.weights={weights}"]) == expected
    assert bits(text, comm, steps, threads=3) == expected
    assert bits(text, comm, steps, settings=["train.recompute=true"]) == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(comm, data, name):
    same_everywhere(comm, run_file(name, data(NETWORKS[name][0])), 20)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw", "rmsprop", "lars", "lamb"])
@pytest.mark.parametrize("extras", ["", "average = 0.9\nclip_norm = 0.01\nschedule = 'cosine'\nwarmup = 3"])
def test_optimizers(comm, data, name, extras):
    text = f"""
        data.path = "{data("image")}"
        train = {{ lanes = {LANES}, lane_size = 3 }}
        model.network = "seedgan"
        [optimizer]
        name = "{name}"
        {extras}
        """
    same_everywhere(comm, text, 20)


def test_the_average_follows_the_parameters(comm, data):
    text = f"""
        data.path = "{data("image")}"
        train = {{ lanes = {LANES}, lane_size = 3, steps = 3 }}
        model.network = "seedgan"
        optimizer.generator.average = 0.75
        """
    with closing(Training(parse_config(text), comm)) as training:
        expected = training.theta["generator"].data.astype(np.float64)

        def follow(training, statistics, last):
            expected[:] = 0.75 * expected + 0.25 * training.theta["generator"].data

        training.run([follow])
        sampled = training.sampled()
        assert sampled["generator"].data == pytest.approx(expected, abs=1e-6)
        assert sampled["discriminator"] is training.theta["discriminator"]


def test_running_statistics_are_means_over_lanes(comm, data):
    """One step of batch norm: 0.9 of the start and 0.1 of the mean over lanes, and over real and generated
    samples."""
    text = f"""
        data.path = "{data("image")}"
        train = {{ lanes = {LANES}, lane_size = 3, steps = 1 }}
        [model]
        network = "dcgan64"
        generator.width = 4
        discriminator.width = 4
        """
    with closing(Training(parse_config(text), MPI.COMM_SELF)) as alone:
        model, theta, moments = alone.model, alone.theta, []
        discriminator = model.networks["discriminator"]
        first = next(i for i, layer in enumerate(discriminator.layers) if isinstance(layer, BatchNorm))
        for lane in range(LANES):
            batch = model.units.encode(alone.shards.batch(0, lane).samples)
            noise = model.noise(stream(0, Purpose.NOISE, 0, lane), 3)
            for x in (batch, model.networks["generator"].forward(theta["generator"], noise)[0]):
                for layer in discriminator.layers[:first]:
                    x, _ = layer.forward(theta["discriminator"], x)
                x = x.astype(np.float64).reshape(-1, x.shape[-1])
                moments.append((x.mean(0), x.var(0, ddof=1)))
        mean, variance = np.mean(moments, axis=0)
    with closing(Training(parse_config(text), comm)) as training:
        training.run([])
        trained = training.theta["discriminator"]
        assert trained["batch_norm1/mean"] == pytest.approx(0.1 * mean, rel=1e-4, abs=1e-7)
        assert trained["batch_norm1/variance"] == pytest.approx(0.9 + 0.1 * variance, rel=1e-5)
