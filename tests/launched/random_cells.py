"""Many small runs in one job, of random layers, cells, deals and threads: python random_cells.py FOLDER RUNS.

Each run takes two steps on all ranks, and ends with the bits of one rank. The job prints how many did.
"""

import hashlib
import random
import sys
from contextlib import closing
from dataclasses import replace
from math import prod
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np
from mpi4py import MPI

from hpcgen.config.reading import parse_config
from hpcgen.errors import InputError
from hpcgen.training.loop import Training, deal_of

SHAPES = [(16,), (12, 2), (9, 7), (6, 8, 3), (5, 4, 6), (4, 4, 4, 2)]
LARGEST_SPACE = 4
WINDOWS = {"kernel": (1, 5), "stride": (1, 3), "padding": (0, 2)}
CLASSIFIER = """
        [model]
        kind = "classifier"
        network = "layers"
        classifier.layers = [LAYERS]
        """
# The generator ends in a convolution, on cells.
GAN = """
        [model]
        network = "layers"
        latent = 3
        discriminator.layers = [LAYERS]
        generator.layers = [
            { kind = "dense", outputs = NUMBERS }, RESHAPE, { kind = "elu" },
            { kind = "conv", channels = CHANNELS, kernel = 3, stride = 1 }, { kind = "tanh" },
            { kind = "reshape", shape = SHAPE },
        ]
        """


def write_data(folder):
    numbers = np.random.default_rng(0)
    for i, shape in enumerate(SHAPES):
        with h5py.File(folder / f"{i}.h5", "w") as file:
            file["samples"] = numbers.random((24, *shape), dtype=np.float32)
            file["labels"] = np.arange(24) % 3


def layer(draw, axes):
    """Return a random layer of places."""
    keys = {name: [draw.randint(*limits) for _ in range(axes)] for name, limits in WINDOWS.items()}
    channels = f"channels = {draw.randint(1, 3)}"
    windows = ", ".join([channels, *(f"{key} = {value}" for key, value in keys.items())])
    return draw.choice(
        [
            f'{{ kind = "conv", {windows} }}',
            f'{{ kind = "conv-transpose", {windows} }}',
            f'{{ kind = "conv", {channels} }}',
            f'{{ kind = "upsample", factor = {keys["stride"]} }}',
            '{ kind = "batch-norm" }',
            f'{{ kind = "layer-norm", axes = {draw.choice([1, axes + 1])} }}',
            '{ kind = "dropout", rate = 0.3 }',
            '{ kind = "tanh" }',
        ]
    )


def drawn(draw, folder, ranks):
    """Return a random Config, the threads, and the fewest places of a cell."""
    number = draw.randrange(len(SHAPES))
    shape = SHAPES[number]
    axes = min(3, len(shape) - (number % 2))
    places = shape[:axes]
    reshape = f'{{ kind = "reshape", shape = {[*places, *(shape[axes:] or (1,))]} }}'
    middle = [layer(draw, axes) for _ in range(draw.randint(1, 3))]
    layers = [reshape, *middle, '{ kind = "flatten" }', '{ kind = "dense", outputs = OUTPUTS }']
    model = draw.choice([CLASSIFIER, CLASSIFIER, GAN]).replace("LAYERS", ", ".join(layers))
    ways = {
        "RESHAPE": reshape,
        "SHAPE": list(shape),
        "NUMBERS": prod(shape),
        "CHANNELS": (*shape[axes:], 1)[0],
    }
    for word, value in {**ways, "OUTPUTS": 3 if "classifier" in model else 1}.items():
        model = model.replace(word, str(value))
    text = f"""
        data.path = "{folder}/{number}.h5"
        seed = {draw.randrange(100)}
        [train]
        steps = 2
        lanes = {draw.randint(1, 6)}
        lane_size = 2
        cells = {[draw.randint(1, 3) for _ in range(draw.randint(1, axes))]}
        [parallel]
        space = {draw.randint(0, LARGEST_SPACE)}
        weights = {draw.choice([[], [draw.randint(1, 9) for _ in range(ranks)]])}
        [optimizer]
        name = "sgd"
        {model}
        """
    return parse_config(text), draw.randint(1, 3), draw.choice([1, 1, 4])


def trained(config, comm, threads, places):
    """Return a digest of the parameters after a run, or None if it is refused."""
    with (
        patch("hpcgen.training.loop.lane_threads", lambda comm: threads),
        patch("hpcgen.parallel.placement.network.FEWEST_PLACES", places),
    ):
        try:
            training = Training(config, comm)
        except InputError:
            return None
        with closing(training):
            training.run([])
            return hashlib.sha1(
                b"".join(theta.data.tobytes() for theta in training.theta.values())
            ).hexdigest()


def alone(config):
    """Return the Config of the same run on one rank."""
    return replace(config, parallel=replace(config.parallel, space=0, weights=[]))


def main(folder, runs):
    comm, draw = MPI.COMM_WORLD, random.Random(5)
    if comm.rank == 0:
        write_data(folder)
    comm.Barrier()
    done, shared, threaded = 0, 0, 0
    while done < runs:
        # As many runs as ranks: then each rank repeats one of them alone.
        batch = []
        while len(batch) < comm.size:
            config, threads, places = drawn(draw, folder, comm.size)
            found = trained(config, comm, threads, places)
            if found is not None:
                batch.append((config, places, found))
                space = deal_of(config, comm.size).space
                shared += space > 1
                threaded += space == 1 and threads > 1 and prod(config.train.grid) > 1
        config, places, found = batch[comm.rank]
        expected = comm.allgather((found, trained(alone(config), MPI.COMM_SELF, 1, places)))
        for (config, _, mine), (theirs, bits) in zip(batch, expected):
            assert mine == theirs == bits, config
        done += len(batch)
    if comm.rank == 0:
        print(f"{done} runs, {shared} with teams, {threaded} with threads and cells")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
