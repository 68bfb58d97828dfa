"""Measure what it costs and saves to divide samples into cells: samples/s, memory, bytes and waiting.

    . jobs/environment.sh && python benchmarks/spatial.py                    all tables, about 15 minutes
    python benchmarks/spatial.py --nets dcgan3d-64 --rounds 5
    python benchmarks/spatial.py --nets --no-large --alpha 2e-6 --beta 1e-10 --flops 1e11    your network

S is the number of ranks that share a lane. Runs that are compared take turns, a step each, in the same
processes. "activations" are the most bytes that a lane keeps from its forward to its backward pass. "waiting"
is the share of a step that a rank spends in messages within its team. Each rank has one core; where there are
more ranks than cores, the line has a star, and its times say nothing.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from math import prod
from pathlib import Path
from time import perf_counter, strftime

HERE = Path(__file__).resolve().parent
# Network, shape of a sample, lanes, samples in a lane.
NETS = {
    "dcgan64-64": ("dcgan64", (64, 64, 3), 2, 32),
    "dcgan64-128": ("dcgan64", (128, 128, 3), 2, 16),
    "dcgan3d-32": ("dcgan3d", (32, 32, 32), 2, 16),
    "dcgan3d-64": ("dcgan3d", (64, 64, 64), 2, 4),
}
LARGE = ("dcgan3d", (128, 128, 128), 1, 1)
# Ranks, and the (cells, space) that take turns on them.
RUNS = {
    1: [("", 1), ("2", 1), ("2,2", 1)],
    2: [("", 1), ("2", 2)],
    4: [("2,2", 4)],
}
MIB = 1 << 20


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    report = {"time": strftime("%Y-%m-%d %H:%M"), "cores": len(os.sched_getaffinity(0)), "nets": {}}
    with tempfile.TemporaryDirectory(prefix=".spatial-", dir=options.out.resolve()) as folder:
        for name in options.nets:
            report["nets"][name] = measured(options, folder, name)
            print(*table(name, report["nets"][name], report["cores"]), "", sep="\n", flush=True)
        if options.large:
            report["large"] = large(options, folder)
            print(*large_text(report["large"]), "", sep="\n", flush=True)
        if options.project:
            report["projection"] = projection(options, folder)
            print(*projection_text(report["projection"]), sep="\n", flush=True)
    (options.out / "spatial.json").write_text(json.dumps(report, indent=1) + "\n")
    print(options.out / "spatial.json")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--nets", nargs="*", choices=NETS, default=list(NETS))
    add("--rounds", type=int, default=7, help="steps of each run that is timed (default: 7)")
    add("--no-large", dest="large", action="store_false", help="leave out the step of 128^3")
    add("--no-project", dest="project", action="store_false", help="leave out the projection to 512^3")
    add("--alpha", type=float, help="seconds a message, for the projection (default: measured here)")
    add("--beta", type=float, help="seconds a byte, for the projection (default: measured here)")
    add("--flops", type=float, help="operations a second of a rank, for the projection (default: measured)")
    add("--launcher", default=f"{os.environ.get('MPIRUN', 'mpirun')} -n", help="a rank count follows")
    add("--out", type=Path, default=HERE / "results")
    return parser.parse_args()


def launch(options, ranks, *arguments):
    """Run this file as a worker on so many ranks; return what rank 0 says."""
    command = [*shlex.split(options.launcher), ranks, sys.executable, "-m", "mpi4py", __file__, *arguments]
    env = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    ended = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**env, "OMP_NUM_THREADS": "1"}
    )
    if ended.returncode:
        sys.exit(
            f"spatial: exit status {ended.returncode} of {shlex.join(map(str, command))}\n{ended.stderr}"
        )
    return json.loads(ended.stdout.splitlines()[-1])


def measured(options, folder, name):
    """Return what was measured of a network: a dictionary for each number of ranks, cells and space."""
    found = []
    for ranks, variants in RUNS.items():
        words = [f"{cells}/{space}" for cells, space in variants]
        timed = launch(options, ranks, "--worker", *net(name), folder, options.rounds, *words)
        for word, seconds in zip(words, timed["seconds"], strict=True):
            # Memory is that of a process which holds this run alone.
            alone = launch(options, ranks, "--worker", *net(name), folder, 1, word)
            ratios = [a / b for a, b in zip(timed["seconds"][0], seconds, strict=True)]
            found.append(
                {"ranks": ranks, "run": word, "seconds": seconds, "ratios": ratios, **alone["memory"]}
            )
    return found


def net(name):
    network, shape, lanes, size = NETS.get(name, LARGE)
    return network, "x".join(map(str, shape)), lanes, size


def table(name, rows, cores):
    _, shape, lanes, size = NETS[name]
    samples, first = lanes * size, rows[0]["activations"]
    yield f"{name}: samples of {' x '.join(map(str, shape))}, {lanes} lanes of {size}"
    yield (
        "ranks  cells   S   samples/s  of no cells on as many ranks  MiB a rank  activations      of S = 1  "
        "MiB sent a step  waiting"
    )
    for row in rows:
        cells, space = row["run"].split("/")
        star = "*" if row["ranks"] > cores else " "
        speed = samples / statistics.median(row["seconds"])
        ratio = (
            f"{statistics.median(row['ratios']):.2f} ({min(row['ratios']):.2f} to {max(row['ratios']):.2f})"
        )
        if row["ranks"] > cores:
            ratio = "-"
        yield (
            f"{row['ranks']:4}{star}  {cells or 'none':>5}  {space:>2}  {speed:10,.1f}  {ratio:>28}  "
            f"{row['peak'] / MIB:10,.0f}  {row['activations'] / MIB:11,.1f}  "
            f"{row['activations'] / first:12.2f}  "
            f"{row['sent'] / MIB:15,.1f}  {row['waiting']:7.0%}"
        )


def large(options, folder):
    """Return the memory of a step of 128^3 at S = 4 and on one rank."""
    return {
        word: launch(options, ranks, "--worker", *net("large"), folder, 1, word)["memory"]
        for ranks, word in ((4, "2,2/4"), (1, "/1"))
    }


def large_text(rows):
    yield "dcgan3d, one sample of 128 x 128 x 128 a step"
    for word, row in rows.items():
        cells, space = word.split("/")
        yield (
            f"  cells {cells or 'none':>4}, S = {space}: peak {row['peak'] / MIB:,.0f} MiB a rank, "
            f"activations {row['activations'] / MIB:,.0f} MiB"
        )


def projection(options, folder):
    """Return what a step of 512^3 takes on 64 to 4,096 ranks: a cell a rank, one sample a lane.

    Operations are those of the products in their direct form. Halo bytes and messages follow from the regions
    of a cell in the middle; a collective is log2(ranks) messages.
    """
    costs = launch(options, 2, "--costs", folder)
    alpha, beta = options.alpha or costs["alpha"], options.beta or costs["beta"]
    flops = options.flops or costs["flops"]
    rows = []
    for parts in (4, 8, 16):
        needs = launch(options, 1, "--halo", 512, parts)
        ranks = parts**3
        compute = (needs["divided"] + needs["shared"]) / flops
        talk = needs["messages"] * alpha + needs["bytes"] * beta
        rows.append({"ranks": ranks, "compute": compute, "talk": talk, **needs})
    return {"alpha": alpha, "beta": beta, "flops": flops, "rows": rows}


def projection_text(found):
    yield (
        f"projection: dcgan3d of 512 x 512 x 512, one sample a lane, a cell a rank; "
        f"{1e6 * found['alpha']:.1f} us a message, {1e-9 / found['beta']:.1f} GB/s, "
        f"{found['flops'] / 1e9:.0f} GF/s a rank"
    )
    yield "ranks  places of a cell   compute   messages   halo MiB   talk   share of talk"
    for row in found["rows"]:
        step = row["compute"] + row["talk"]
        yield (
            f"{row['ranks']:5,}  {row['cell']:>16}  {row['compute']:6.2f} s  {row['messages']:9,}  "
            f"{row['bytes'] / MIB:9,.0f}  {row['talk']:4.2f} s  {row['talk'] / step:10.0%}"
        )


def work(network, size, lanes, lane_size, folder, rounds, *words):
    """Be a rank: take turns among runs, and say what a step takes."""
    from hpcgen import runtime

    runtime.prepare_process()
    import resource
    import tracemalloc
    from dataclasses import replace

    import h5py
    import numpy as np
    from mpi4py import MPI

    from hpcgen.config.reading import parse_config
    from hpcgen.training.loop import Training

    comm, shape = MPI.COMM_WORLD, tuple(map(int, size.split("x")))
    path, rows = Path(folder, f"{network}-{size}.h5"), int(lanes) * int(lane_size)
    if comm.rank == 0 and not path.exists():
        with h5py.File(path, "w") as file:
            file["samples"] = np.random.default_rng(0).random((rows, *shape), dtype=np.float32)
            file.attrs.update(low=0.0, high=1.0)
    comm.Barrier()

    def step(training):
        steps = replace(training.config.train, steps=training.step + 1)
        training.config = replace(training.config, train=steps)
        comm.Barrier()
        start = perf_counter()
        training.run([])
        comm.Barrier()
        return perf_counter() - start

    runs = []
    for word in words:
        cells, space = word.split("/")
        text = f'data.path = "{path}"\nmodel = {{ kind = "gan", network = "{network}" }}\n'
        text += f"train = {{ lanes = {lanes}, lane_size = {lane_size}, cells = [{cells}], steps = 1 }}\n"
        runs.append(Training(parse_config(text, [f"parallel.space={space}"]), comm))
        runs[-1].run([])
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(int(rounds)):
        for training, taken in zip(runs, seconds, strict=True):
            taken.append(step(training))
    training = runs[0]
    peak = comm.allreduce(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, op=MPI.MAX)
    traffic = training.model.team.traffic if training.model.team else None

    def talked():
        return (traffic.bytes if traffic else 0), training.watch.seconds.get("team", 0.0)

    before = talked()
    whole = step(training)
    sent, waiting = (now - then for now, then in zip(talked(), before))
    exchanged = sum(
        exchanged_bytes(player.exchange) * turns(training, name) for name, player in training.players.items()
    )
    kept = []
    objective = training.model.objective

    def watched(*arguments):
        before = tracemalloc.get_traced_memory()[0]
        made = objective(*arguments)
        kept.append(tracemalloc.get_traced_memory()[0] - before)
        return made

    training.model.objective = watched
    tracemalloc.start()
    step(training)
    activations = comm.allreduce(max(kept), op=MPI.MAX)
    memory = {
        "peak": peak,
        "activations": activations,
        "sent": comm.allreduce(sent + exchanged, op=MPI.MAX),
        "waiting": comm.allreduce(waiting / whole, op=MPI.MAX),
    }
    if comm.rank == 0:
        print(json.dumps({"seconds": seconds, "memory": memory}))


def turns(training, name):
    return sum(player == name for player, _ in training.model.turns)


def exchanged_bytes(exchange):
    """Return the bytes that a rank sends in one turn: its sums to their owners, and its parameters to all."""
    size, numbers = exchange.comm.size, exchange.layout.size
    nodes = len(exchange.deal.nodes(exchange.comm.rank))
    return 4 * (nodes * numbers * (size - 1) // size + numbers // size * (size - 1))


def costs(folder):
    """Be one of two ranks: measure a message's seconds, a byte's, and the operations a second of a step."""
    from hpcgen import runtime

    runtime.prepare_process()
    import numpy as np
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    sizes, taken = [1 << 6, 1 << 12, 1 << 16, 1 << 20, 1 << 23], []
    for size in sizes:
        room, times = np.zeros(size, np.uint8), []
        for _ in range(30):
            start = perf_counter()
            comm.Sendrecv_replace(room, 1 - comm.rank, source=1 - comm.rank)
            times.append(perf_counter() - start)
        taken.append(statistics.median(times))
    # Weighted by 1 / seconds, so that short messages fix alpha.
    weights = 1 / np.array(taken)
    beta, alpha = np.polyfit(sizes, taken, 1, w=weights)
    size = 1024
    a, times = np.ones((size, size), np.float32), []
    for _ in range(8):
        start = perf_counter()
        a @ a
        times.append(perf_counter() - start)
    if comm.rank == 0:
        print(
            json.dumps(
                {"alpha": max(alpha, 1e-7), "beta": beta, "flops": 2 * size**3 / statistics.median(times)}
            )
        )


def halo(size, parts):
    """Say the operations of a step of a rank with one cell, in the middle: those of divided layers, and those
    of layers whose channels the cells share; and the messages and bytes that it receives."""
    from hpcgen.config.reading import parse_config
    from hpcgen.data.schema import Schema
    from hpcgen.models import MODELS
    from hpcgen.nn.layers.convolution import Conv, Convolution
    from hpcgen.parallel.cells import Grid
    from hpcgen.parallel.operators.halo import pieces_of
    from hpcgen.parallel.placement.convolution import region_of
    from hpcgen.parallel.placement.network import pays

    size, grid = int(size), Grid((int(parts),) * 3)
    config = parse_config('data.path = "x"\nmodel = { kind = "gan", network = "dcgan3d" }')
    model = MODELS["gan"](config.model, Schema((size,) * 3, "float32", "array", 0.0, 1.0))
    middle = grid.number[(int(parts) // 2,) * 3]
    found = {
        "divided": 0,
        "shared": 0,
        "messages": 0,
        "bytes": 0,
        "cell": "x".join([str(size // int(parts))] * 3),
    }
    # Passes of a step: the discriminator sees two samples in its turn and one in the generator's.
    for name, samples, passes in (("generator", 1, 3), ("discriminator", 2, 3), ("discriminator", 1, 2)):
        chain = model.networks[name]
        for i, layer in enumerate(chain.layers):
            if not isinstance(layer, Convolution):
                continue
            before, after = chain.shapes[i][:-1], chain.shapes[i + 1][:-1]
            windows, places = (after, before) if isinstance(layer, Conv) else (before, after)
            products = 2 * prod(windows) * prod(layer.parameters()[layer.weight]) * samples * passes
            if not (pays(grid, before) and pays(grid, after)):
                # All ranks gather x, and for the derivative dy and x again.
                found["shared"] += products / min(len(grid), layer.leads_to)
                found["messages"] += 3 * (len(grid) - 1).bit_length()
                numbers = prod(after) * layer.leads_to + 2 * prod(before) * layer.comes_from
                found["bytes"] += 4 * samples * numbers
                continue
            found["divided"] += products / len(grid)
            channels = layer.channels
            region = region_of(layer.geometry, grid.whole_region(middle, windows), places, [True] * 3)
            foreign = [piece for piece in pieces_of(grid, places, region, middle) if not piece.own]
            # Forward, for the derivative in the weights (kept), and back: two exchanges a layer.
            found["messages"] += 2 * len(foreign)
            found["bytes"] += 2 * 4 * samples * channels * sum(prod(piece.shape) for piece in foreign)
    print(json.dumps(found))


if __name__ == "__main__":
    roles = {"--worker": work, "--costs": costs, "--halo": halo}
    if sys.argv[1:] and sys.argv[1] in roles:
        roles[sys.argv[1]](*sys.argv[2:])
    else:
        main()
