"""The bits of a player's numbers, and of its checkpoint, do not depend on the ownership."""

from contextlib import closing

import numpy as np
import pytest
from networks import run_file, write_data

from hpcgen.checkpoints.comparison import compare
from hpcgen.config.reading import parse_config
from hpcgen.parallel import exchange
from hpcgen.parallel.ownership import Ownership
from hpcgen.parallel.partition import OWNERSHIP_BLOCK
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
def test_any_ownership_gives_the_same_bits(comm, folder, monkeypatch, optimizer):
    if comm.rank == 0:
        write_data(folder / "data.h5", "colour")
    comm.Barrier()
    text = run_file("dcgan64", folder / "data.h5")
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
