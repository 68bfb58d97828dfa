"""Samples are generated block by block. Any part of them has the same bits."""

from dataclasses import replace

import numpy as np
import pytest

from hpcgen.errors import InputError
from hpcgen.parallel.partition import Partition
from hpcgen.sampling.generation import drawing_model, generate
from hpcgen.sampling.origins import Prior


@pytest.mark.parametrize("kind", ["gan", "conditional", "vae", "rvae", "sound"])
def test_a_part_of_the_samples_is_the_same_bits(loaded, kind):
    model, state, _ = loaded(kind)

    def drawn(start, stop, seed=3):
        return generate(model, state.sampled, state.schema, Prior(model, seed), start, stop)

    samples = drawn(0, 150)
    assert samples.shape == (150, *state.schema.shape) and samples.dtype == state.schema.dtype
    for start, stop in ((0, 1), (63, 65), (64, 128), (149, 150), (70, 70)):
        assert np.array_equal(drawn(start, stop), samples[start:stop])
    assert drawn(0, 0).shape == (0, *state.schema.shape) and drawn(0, 0).dtype == samples.dtype
    assert not np.array_equal(drawn(0, 150, seed=4), samples)


def spaces(comm, most):
    """The numbers of ranks that can share a sample of `most` cells."""
    return [n for n in range(1, comm.size + 1) if comm.size % n == 0 and n <= most]


@pytest.mark.parametrize("kind, cells", [("volumes", 8), ("pictures", 3)])
def test_as_many_ranks_as_asked_share_a_sample(comm, loaded, kind, cells):
    _, state, _ = loaded(kind)
    for space in spaces(comm, cells):
        for count in (1, 1000):
            with drawing_model(state, comm, count, space) as model:
                assert model.team.comm.size == space
                assert model.team.deal.counts == Partition.even(cells, space).counts


@pytest.mark.parametrize("kind, cells", [("volumes", 8), ("pictures", 3)])
def test_by_default_few_ranks_share_a_sample_and_no_team_is_idle(comm, loaded, kind, cells):
    _, state, _ = loaded(kind)
    possible = spaces(comm, cells)
    with drawing_model(state, comm, 1) as model:
        assert model.team.comm.size == possible[-1]
    with drawing_model(state, comm, 10_000) as model:
        assert model.team.comm.size == 1
    parallel = replace(state.config.parallel, space=2)
    state = replace(state, config=replace(state.config, parallel=parallel))
    with drawing_model(state, comm, 10_000) as model:
        assert model.team.comm.size == next((n for n in possible if n >= 2), possible[-1])


def test_ranks_that_cannot_share_a_sample_are_refused(comm, loaded):
    _, state, _ = loaded("pictures")
    with (
        pytest.raises(InputError, match="--space 4: .* the run's train.cells makes only 3: use at most 3"),
        drawing_model(state, comm, 1, 4),
    ):
        pass
    for space in {1, 2, 3} - set(spaces(comm, 3)):
        with (
            pytest.raises(InputError, match=f"does not divide the number of ranks, {comm.size}: use 1"),
            drawing_model(state, comm, 1, space),
        ):
            pass
    _, state, _ = loaded("gan")
    with drawing_model(state, comm, 1, 1) as model:
        assert model.team is None
    with (
        pytest.raises(InputError, match="--space 2: .* does not set train.cells: leave it out"),
        drawing_model(state, comm, 1, 2),
    ):
        pass
