"""Train mlpgan alternately on data in memory and on the same data in blocks. Print speeds and peak memory.

    python benchmarks/streaming.py  300,000 samples of 28 x 28 bytes over 8 lanes, in blocks of 1 MiB
    python benchmarks/streaming.py --rows 2000000 --block 8

It writes a data file to --folder (default: a temporary folder), and the results to results/streaming.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter, strftime

from race import Racer, environment, race

HERE = Path(__file__).resolve().parent
# Larger than any lane's shard, in MiB.
MEMORY = 1 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--block", type=int, default=1, help="MiB of a block of a lane")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each turn")
    parser.add_argument("--folder", type=Path, help="folder for the data file")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "data.h5"
        # Write the data in a separate process: the memory of a process counts for the peak of its children.
        subprocess.run([sys.executable, __file__, "--write", path, str(options.rows)], check=True)
        command = [sys.executable, __file__, "--worker", path]
        racers = {
            name: Racer([*command, block], environment(False), options.seconds)
            for name, block in (("in memory", MEMORY), ("in blocks", options.block))
        }
        for _ in range(options.rounds):
            for racer in racers.values():
                racer.turn()
        speeds = {name: [128 / seconds for (seconds,) in racer.times] for name, racer in racers.items()}
        memory = {name: racer.end() for name, racer in racers.items()}
    ratios = sorted(b / a for a, b in zip(*speeds.values()))
    size = options.rows * 784 / (1 << 20)
    print(f"{options.rows:,} samples, {size:.0f} MiB; 8 lanes, blocks of {options.block} MiB")
    for name in speeds:
        print(f"{name}  {statistics.median(speeds[name]):9,.0f} samples/s  peak {memory[name]:5.0f} MiB")
    print(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    results = {
        "time": strftime("%Y-%m-%d %H:%M"),
        "rows": options.rows,
        "block": options.block,
        "ratios": ratios,
    }
    results |= {"samples/s": speeds, "MiB": memory}
    (options.out / "streaming.json").write_text(json.dumps(results, indent=1) + "\n")


def write(path, rows):
    """Write a data file of random bytes, with checksums, block by block."""
    import numpy as np
    from mpi4py import MPI

    from hpcgen.data.prepare import PrepareOptions, prepare
    from hpcgen.data.rows import Rows
    from hpcgen.data.sources import Source

    class Noise(Source):
        kind, name, shape = "image", "noise", (28, 28, 1)

        def __init__(self):
            self.rows = int(rows)

        def read(self, start, stop):
            return Rows(np.random.default_rng(0).integers(0, 255, (stop - start, *self.shape), np.uint8))

    prepare(Noise, Path(path), MPI.COMM_SELF, PrepareOptions(keep_order=True))


def work(path, block):
    """Run as a racer with one rank and eight lanes of 16 samples."""
    from hpcgen import runtime

    runtime.prepare_process()
    from mpi4py import MPI

    from hpcgen.config.reading import parse_config
    from hpcgen.training.loop import Training

    text = f'data = {{ path = "{path}", block = {block} }}\nmodel.network = "mlpgan"\n'
    text += "train = { lanes = 8, lane_size = 16, steps = 3 }"
    training = Training(parse_config(text), MPI.COMM_SELF)
    training.run([])

    def run(count):
        training.config = replace(
            training.config, train=replace(training.config.train, steps=training.step + count)
        )
        start = perf_counter()
        training.run([])
        return [perf_counter() - start]

    race(run, {})


if __name__ == "__main__":
    steps = {"--worker": work, "--write": write}
    if sys.argv[1:] and sys.argv[1] in steps:
        steps[sys.argv[1]](*sys.argv[2:])
    else:
        main()
