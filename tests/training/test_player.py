"""A player's numbers have the same bits whoever owns what, and so has its checkpoint; averages and running
statistics follow by their rules."""

from contextlib import closing

import numpy as np
import pytest
from mpi4py import MPI
from networks import LANES, run_file

from hpcgen.checkpoints.comparison import compare
from hpcgen.config.reading import parse_config
from hpcgen.nn.layers.normalization import BatchNorm
from hpcgen.parallel import exchange
from hpcgen.parallel.ownership import Ownership
from hpcgen.parallel.partition import OWNERSHIP_BLOCK
from hpcgen.streams import Purpose, stream
from hpcgen.training.loop import Training


def scattered(size, ranks, rank):
    """Deal the blocks of a vector out in no order. The first of several ranks owns nothing."""
    starts = np.random.default_rng(size).permutation(np.arange(0, size, OWNERSHIP_BLOCK)).tolist()
    blocks = [slice(start, min(start + OWNERSHIP_BLOCK, size)) for start in starts]
    owners = range(1, ranks) if ranks > 1 else range(1)
    return Ownership(
        [blocks[i :: len(owners)] if ranks == 1 or i >= 0 else [] for i in range(-(ranks > 1), len(owners))],
        rank,
    )


class Scattered(exchange.ExactExchange):
    def __init__(self, comm, layout, lanes, make):
        super().__init__(comm, layout, lanes, make, scattered(layout.buffers.stop, comm.size, comm.rank))


@pytest.mark.parametrize("optimizer", ["adam", "lamb"])
def test_any_ownership_gives_the_same_bits(comm, folder, written, monkeypatch, optimizer):
    text = run_file("dcgan64", written("colour"))
    config = parse_config(
        text,
        ["train.steps=4", f"optimizer.name={optimizer}", "optimizer.clip_norm=0.5", "optimizer.average=0.9"],
    )
    for name in ("even", "scattered"):
        with monkeypatch.context() as patch:
            if name == "scattered":
                patch.setitem(exchange.EXCHANGES, "exact", Scattered)
            with closing(Training(config, comm)) as training:
                training.run([])
                training.save(folder / f"{name}.h5")
    assert compare(folder / "even.h5", folder / "scattered.h5", comm) == 0
    # What one ownership saved, another restores.
    with monkeypatch.context() as patch:
        patch.setitem(exchange.EXCHANGES, "exact", Scattered)
        with closing(Training(config, comm)) as training:
            training.resume([folder / "even.h5"])
            training.save(folder / "again.h5")
    assert compare(folder / "even.h5", folder / "again.h5", comm) == 0


def test_the_average_follows_the_parameters(comm, written):
    text = f"""
        data.path = "{written("image")}"
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


def test_running_statistics_are_means_over_lanes(comm, written):
    """One step of batch norm: 0.9 of the start and 0.1 of the mean over lanes, and over real and generated
    samples."""
    text = f"""
        data.path = "{written("image")}"
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
