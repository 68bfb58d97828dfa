"""A run on all ranks has the parameters of one rank, bit for bit: every network, optimizer, deal and number of threads."""

from contextlib import closing

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from hpcgen.config.reading import parse_config
from hpcgen.nn.layers.normalization import BatchNorm
from hpcgen.parallel.threads import Workers
from hpcgen.streams import Purpose, stream
from hpcgen.training.loop import Training

LANES = 7
SHAPES = {
    "image": (16, 16, 1),
    "colour": (8, 16, 3),
    "volume": (8, 8, 8),
    "wave": (128,),
    "sequence": (6, 5),
    "columns": (2,),
}
LAYERS = """
    [[model.generator.layers]]
    kind = "dense"
    outputs = 128
    [[model.generator.layers]]
    kind = "batch-norm"
    [[model.generator.layers]]
    kind = "elu"
    [[model.generator.layers]]
    kind = "dropout"
    rate = 0.2
    [[model.generator.layers]]
    kind = "reshape"
    shape = [8, 8, 2]
    [[model.generator.layers]]
    kind = "upsample"
    [[model.generator.layers]]
    kind = "conv"
    channels = 1
    kernel = [3, 5]
    stride = 1
    padding = [1, 2]
    [[model.generator.layers]]
    kind = "sigmoid"
    [[model.discriminator.layers]]
    kind = "conv"
    channels = 8
    [[model.discriminator.layers]]
    kind = "layer-norm"
    axes = 3
    [[model.discriminator.layers]]
    kind = "leaky-relu"
    slope = 0.1
    [[model.discriminator.layers]]
    kind = "flatten"
    [[model.discriminator.layers]]
    kind = "dropout"
    [[model.discriminator.layers]]
    kind = "dense"
    outputs = 1
    """
RECURRENT = """
    [model.generator]
    layers = [
        { kind = "dense", outputs = 24 }, { kind = "softplus" }, { kind = "reshape", shape = [6, 4] },
        { kind = "gru", hidden = 5 }, { kind = "tanh" },
    ]
    [model.discriminator]
    layers = [{ kind = "lstm", hidden = 3 }, { kind = "flatten" }, { kind = "dense", outputs = 1 }]
    """
NARROW = "generator.width = 16\ndiscriminator.width = 16"
NETWORKS = {
    "seedgan": ("image", ""),
    "mlpgan": ("image", ""),
    "dcgan28": ("image", "generator.width = 32\ndiscriminator.width = 32"),
    "dcgan64": ("colour", "generator.width = 16\ndiscriminator.width = 16"),
    "dcgan3d": ("volume", "generator.width = 8\ndiscriminator.width = 8"),
    "wavegan": ("wave", "generator.width = 4\ndiscriminator.width = 4"),
    "layers": ("image", LAYERS),
    "recurrent": ("sequence", RECURRENT),
    "vae": ("image", 'kind = "vae"'),
    "wgan": (
        "image",
        "kind = 'gan'\nnetwork = 'mlpgan'\nloss = 'wasserstein'\ngradient_penalty = 10.0\ndiscriminator_steps = 3",
    ),
    "clipped": ("image", "kind = 'gan'\nnetwork = 'dcgan28'\nloss = 'wasserstein'\nclip = 0.01\n" + NARROW),
    "spectral": (
        "image",
        "kind = 'gan'\nnetwork = 'dcgan28'\nloss = 'hinge'\nspectral_norm = true\n" + NARROW,
    ),
    "conditional": ("image", "kind = 'gan'\nnetwork = 'mlpgan'\nconditional = true\nlabel_smoothing = 0.1"),
    "rvae": ("text", "kind = 'rvae'\nnetwork = 'text'\nhidden = 16\nembedding = 8\nlatent = 4"),
    "rvae-lstm": (
        "text",
        "kind = 'rvae'\nnetwork = 'text'\ncell = 'lstm'\nhidden = 16\nembedding = 8\nfree_bits = 0.1",
    ),
    "rvae-numbers": ("sequence", "kind = 'rvae'\nnetwork = 'sequence'\nhidden = 16\nword_dropout = 0.2"),
    "linear": ("columns", "kind = 'linear'\nnetwork = 'linear'\nintercept = true"),
    "regressor": ("columns", "kind = 'regressor'\nnetwork = 'regressor'"),
    "classifier": ("image", "kind = 'classifier'\nnetwork = 'convolutional'\nclassifier.width = 16"),
    "conv-vae": ("image", 'kind = "vae"\nencoder.width = 16\ndecoder.width = 16'),
}


@pytest.fixture
def data(comm, folder):
    """Return the path of a data file of random samples of a kind."""

    def make(kind):
        path, random = folder / f"{kind}.h5", np.random.default_rng(2)
        if comm.rank == 0:
            with h5py.File(path, "w") as file:
                if kind == "text":
                    file["samples"], file["vocabulary"] = (
                        random.integers(0, 30, (61, 12), np.uint8),
                        np.arange(65, 95),
                    )
                    file.attrs["kind"] = "text"
                else:
                    file["samples"] = random.random((61, *SHAPES[kind]), dtype=np.float32)
                file["labels"] = random.integers(0, 10, 61)
                if kind == "columns":
                    file["inputs"] = random.random((61, 5), dtype=np.float32)
        comm.Barrier()
        return path

    return make


def bits(text, world, steps, threads=1, settings=()):
    with closing(Training(parse_config(text, [f"train.steps={steps}", *settings]), world)) as training:
        training.workers.close()
        training.workers = Workers(threads)
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
    kind, keys = NETWORKS[name]
    network = "" if "network" in keys else f'network = "{"layers" if name == "recurrent" else name}"'
    text = f"""
        data.path = "{data(kind)}"
        train = {{ lanes = {LANES}, lane_size = 3 }}
        [model]
        {network}
        {keys}
        """
    same_everywhere(comm, text, 20)


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
    """One step of batch norm: 0.9 of the start and 0.1 of the mean over lanes, and over real and generated samples."""
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
