"""A run on all ranks has the same parameters as on one rank, bit for bit, for every network, optimizer,
distribution of lanes and number of threads."""

from contextlib import closing

import numpy as np
import pytest
from networks import LANES, NETWORKS, run_file

from hpcgen.config.reading import parse_config
from hpcgen.parallel.threads import Workers
from hpcgen.training.loop import Training


def bits(text, world, steps, threads=1, settings=()):
    with closing(Training(parse_config(text, [f"train.steps={steps}", *settings]), world)) as training:
        training.lane_workers.close()
        training.schedule.workers = training.lane_workers = Workers(threads)
        training.run([])
        parts = [part for player in training.players.values() for part in player.sampled().data]
        return np.array(parts).tobytes()


def same_everywhere(comm, alone, text, steps):
    expected = alone(lambda world: bits(text, world, steps))
    ascending = f"parallel.weights={list(range(1, comm.size + 1))}"
    unequal = f"parallel.weights={[50] + [1] * (comm.size - 1)}"
    assert bits(text, comm, steps) == expected
    assert bits(text, comm, steps, threads=3, settings=[ascending]) == expected
    assert bits(text, comm, steps, settings=[unequal, "train.recompute=true"]) == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(comm, alone, written, name):
    same_everywhere(comm, alone, run_file(name, written(NETWORKS[name][0])), 20)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw", "rmsprop", "lars", "lamb"])
@pytest.mark.parametrize("extras", ["", "average = 0.9\nclip_norm = 0.01\nschedule = 'cosine'\nwarmup = 3"])
def test_optimizers(comm, alone, written, name, extras):
    text = f"""
        data.path = "{written("image")}"
        train = {{ lanes = {LANES}, lane_size = 3 }}
        model.network = "seedgan"
        [optimizer]
        name = "{name}"
        {extras}
        """
    same_everywhere(comm, alone, text, 20)
