"""Train networks alternately with hpcgen and with PyTorch, on one core, and print speeds and peak memory.

    python benchmarks/engine.py --torch PYTHON
    python benchmarks/engine.py --torch PYTHON --nets dcgan28 dcgan64 --rounds 15

PYTHON is an interpreter that has torch (pip install torch==2.13.0).

hpcgen and each form of PyTorch (eager or compiled, channels_last or not) are processes with one thread. They
take turns: in each round each process runs some steps. The ratio is hpcgen's speed divided by the speed of
PyTorch in the form with the best median. hpcgen trains as `hpcgen train` does, and also reads data and draws
noise. The PyTorch loop keeps one batch in memory. GF/s counts the operations of the direct form of each
product. OPENBLAS_CORETYPE is unset, so that hpcgen chooses the kernel, unless --keep-kernel is given.
"""

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter, strftime

from race import Racer, environment, race

HERE = Path(__file__).resolve().parent
# Batch, shape of a sample, and the goal of the ratio.
NETS = {
    "seedgan": (100, (100,), 3.0),
    "mlpgan": (64, (784,), 1.8),
    "dcgan28": (64, (28, 28, 1), 1.4),
    "dcgan64": (32, (64, 64, 3), 1.3),
    "vae": (128, (784,), 1.0),
    "rvae": (32, (64,), 1.0),
}
KINDS = {"vae": ("vae", "vae"), "rvae": ("rvae", "text")}
VOCABULARY = 76
FORMS = ("eager", "eager-cl", "compile", "compile-cl")


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    results = {"time": strftime("%Y-%m-%d %H:%M"), "rounds": options.rounds, "nets": {}}
    for net in options.nets:
        results["nets"][net] = measure(net, options)
        print(row(net, results["nets"][net]), flush=True)
    (options.out / "engine.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"{options.out / 'engine.json'}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--torch", metavar="PYTHON", help="an interpreter that has torch (default: measure only hpcgen)"
    )
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="duration of each turn")
    parser.add_argument("--keep-kernel", action="store_true", help="do not unset OPENBLAS_CORETYPE")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    return parser.parse_args()


def measure(net, options):
    batch, shape, goal = NETS[net]
    with tempfile.TemporaryDirectory() as folder:
        ours = Racer(
            [sys.executable, __file__, "--worker", net, folder],
            environment(options.keep_kernel),
            options.seconds,
        )
        racers = {"hpcgen": ours}
        for form in options.forms if options.torch else ():
            if form.endswith("-cl") and len(shape) == 1:
                continue
            try:
                command = [options.torch, HERE / "yardstick.py", "train", net, batch, form]
                racers[form] = Racer(command, environment(True), options.seconds)
            except RuntimeError as error:
                print(f"{net} {form}: {error}")
        for _ in range(options.rounds):
            for racer in racers.values():
                racer.turn()
    result = {"batch": batch, "goal": goal, **ours.about, "forms": {}}
    for name, racer in racers.items():
        speeds = [batch / seconds for (seconds,) in racer.times]
        result["forms"][name] = {
            "samples/s": statistics.median(speeds),
            "MiB": racer.end(),
            "speeds": speeds,
            **racer.about,
        }
    rivals = {name: form for name, form in result["forms"].items() if name != "hpcgen"}
    mine = result["forms"]["hpcgen"]
    result["GF/s"] = mine["samples/s"] / batch * result["flops"] / 1e9
    if rivals:
        result["best"] = best = max(rivals, key=lambda name: rivals[name]["samples/s"])
        result["ratios"] = [a / b for a, b in zip(mine["speeds"], rivals[best]["speeds"])]
        result["memory"] = mine["MiB"] / rivals[best]["MiB"]
    return result


def row(net, result):
    mine = result["forms"]["hpcgen"]
    text = f"{net:8} batch {result['batch']:3}  hpcgen {mine['samples/s']:9,.1f} samples/s "
    text += f"{mine['MiB']:4.0f} MiB  "
    share = 100 * result["GF/s"] / result["sgemm"]
    text += f"{result['GF/s']:4.0f} GF/s = {share:3.0f} % of sgemm's {result['sgemm']:.0f}"
    if "best" in result:
        ratios, other = sorted(result["ratios"]), result["forms"][result["best"]]
        text += f"  torch {result['best']:10} {other['samples/s']:9,.1f} samples/s {other['MiB']:4.0f} MiB  "
        spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        text += f"ratio {statistics.median(ratios):.2f} {spread}, goal {result['goal']}; "
        text += f"memory {result['memory']:.2f}"
    return text


def work(net, folder):
    """Run as the racer of hpcgen, with one rank and one lane."""
    from hpcgen import runtime

    runtime.prepare_process()
    import h5py
    import numpy as np
    from mpi4py import MPI

    from hpcgen.config.reading import parse_config
    from hpcgen.training.loop import Training

    batch, shape, _ = NETS[net]
    path = Path(folder, "data.h5")
    random, (kind, network) = np.random.default_rng(0), KINDS.get(net, ("gan", net))
    with h5py.File(path, "w") as file:
        if kind == "rvae":
            file["samples"] = random.integers(0, VOCABULARY, (4 * batch, *shape), np.uint8)
            file["vocabulary"] = np.arange(32, 32 + VOCABULARY)
            file.attrs["kind"] = "text"
        else:
            file["samples"] = random.random((4 * batch, *shape), dtype=np.float32)
            file.attrs.update(low=0.0, high=1.0)
    text = f'data.path = "{path}"\nmodel = {{ kind = "{kind}", network = "{network}" }}\n'
    text += f"train = {{ lanes = 1, lane_size = {batch}, steps = 3 }}"
    training = Training(parse_config(text), MPI.COMM_SELF)
    training.run([])
    about = {
        "flops": flops(training.model, shape, batch),
        "sgemm": sgemm(),
        "environment": training.environment,
    }

    def run(count):
        training.config = replace(
            training.config, train=replace(training.config.train, steps=training.step + count)
        )
        start = perf_counter()
        training.run([])
        return [perf_counter() - start]

    race(run, about)


def flops(model, shape, batch):
    """Return the floating-point operations of a step: the products of all layers, in their direct form."""
    import numpy as np

    from hpcgen.nn.vector import Layout, Vector

    def products(chain, start):
        theta = Vector(Layout(chain.parameters(), chain.buffers()))
        x, found = np.zeros((1, *start), np.float32), []
        for layer in chain.layers:
            y, _ = layer.forward(theta, x, None)
            if hasattr(layer, "weight"):
                # Each weight is used once for each point of the output, or for each point of the input of a
                # transposed convolution.
                weight = layer.parameters()[layer.weight]
                places = min(x[0, ..., 0].size, y[0, ..., 0].size) if x.ndim > 2 else 1
                found.append(2 * places * int(np.prod(weight)))
            x = y
        return found

    if "rvae" in model.layouts:
        weights = {name: shape for name, shape in model.layouts["rvae"].shapes.items() if len(shape) == 2}
        # Embeddings need no product. `codes` and `start` are computed once per sample, all other products at
        # every time step.
        times = {"embedding/weight": 0, "codes/weight": 1, "start/weight": 1}
        return (
            3
            * batch
            * sum(
                2 * int(np.prod(weight)) * times.get(name.partition("/")[2], shape[0])
                for name, weight in weights.items()
            )
        )
    if "encoder" in model.networks:
        networks = model.networks
        e, d = products(networks["encoder"], shape), products(networks["decoder"], (model.posterior.size,))
        return batch * (3 * sum(e) - e[0] + 3 * sum(d))
    g, d = (
        products(model.networks["generator"], (model.latent,)),
        products(model.networks["discriminator"], shape),
    )
    discriminator_step = sum(g) + 2 * (3 * sum(d) - d[0])
    generator_step = 2 * sum(d) + 2 * sum(g) - g[0]
    return batch * (discriminator_step + generator_step)


def sgemm(size=1024):
    """Return the speed of a product of two square matrices, in GF/s."""
    import numpy as np

    a, times = np.random.default_rng(0).random((size, size), dtype=np.float32), []
    for _ in range(12):
        start = perf_counter()
        a @ a
        times.append(perf_counter() - start)
    return 2 * size**3 / statistics.median(times) / 1e9


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(*sys.argv[2:])
    else:
        main()
