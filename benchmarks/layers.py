"""Measure the time of single layers, forward and backward, alternately in hpcgen and in PyTorch, on one core.

    python benchmarks/layers.py --torch PYTHON

PYTHON is an interpreter that has torch (pip install torch==2.13.0).

Backward computes the derivatives with respect to x and to the weights. GF/s counts the operations of the
direct form. The ratio is PyTorch's time (in the faster of its two memory formats) divided by hpcgen's time,
for forward and backward together. It is the median over all rounds.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from time import perf_counter

from race import Racer, environment, race

HERE = Path(__file__).resolve().parent
# kind, batch, shape of x without channels, input channels, output channels
LAYERS = [
    ("dense", 100, (), 100, 128),
    ("dense", 64, (), 512, 784),
    ("dense", 128, (), 784, 512),
    ("conv", 64, (28, 28), 1, 64),
    ("conv", 64, (14, 14), 64, 128),
    ("conv-transpose", 64, (7, 7), 256, 128),
    ("conv-transpose", 64, (14, 14), 128, 1),
    ("conv", 32, (64, 64), 3, 64),
    ("conv", 32, (32, 32), 64, 128),
    ("conv", 32, (16, 16), 128, 256),
    ("conv", 32, (8, 8), 256, 512),
    ("conv-transpose", 32, (4, 4), 512, 256),
    ("conv-transpose", 32, (8, 8), 256, 128),
    ("conv-transpose", 32, (16, 16), 128, 64),
    ("conv-transpose", 32, (32, 32), 64, 3),
    ("batch-norm", 32, (32, 32), 64, 64),
    ("batch-norm", 32, (8, 8), 256, 256),
    ("conv-transpose", 8, (8, 8, 8), 128, 64),
    ("conv", 8, (16, 16, 16), 64, 128),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--torch", metavar="PYTHON", help="an interpreter that has torch (default: measure only hpcgen)"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="duration of each turn")
    parser.add_argument("--keep-kernel", action="store_true", help="do not unset OPENBLAS_CORETYPE")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = []
    print(f"{'layer':36} {'forward':>16} {'backward':>16}   {'PyTorch':>8} {'':>8}  ratio")
    for layer in LAYERS:
        results.append(measure(layer, options))
        print(row(results[-1]), flush=True)
    (options.out / "layers.json").write_text(json.dumps(results, indent=1) + "\n")
    print(options.out / "layers.json")


def measure(layer, options):
    text = json.dumps(layer)
    ours, theirs = environment(options.keep_kernel), environment(True)
    racers = {"hpcgen": Racer([sys.executable, __file__, "--worker", text], ours, options.seconds)}
    for form in ("plain", "channels_last") if options.torch else ():
        if form == "plain" or len(layer[2]) == 2:
            racers[form] = Racer(
                [options.torch, HERE / "yardstick.py", "layer", text, form], theirs, options.seconds
            )
    for _ in range(options.rounds):
        for racer in racers.values():
            racer.turn()
    result = {
        "layer": layer,
        **racers["hpcgen"].about,
        "times": {name: racer.times for name, racer in racers.items()},
    }
    for racer in racers.values():
        racer.end()
    totals = {name: [sum(times) for times in racer.times] for name, racer in racers.items()}
    if len(totals) > 1:
        best = min(
            (name for name in totals if name != "hpcgen"), key=lambda name: statistics.median(totals[name])
        )
        result |= {"best": best, "ratios": [b / a for a, b in zip(totals["hpcgen"], totals[best])]}
    return result


def row(result):
    kind, batch, sizes, channels, outputs = result["layer"]
    text = f"{kind:15} {batch:3} x {'x'.join(map(str, sizes)) or '':8} {channels:3} to {outputs:3}"

    def shown(times, products):
        seconds = statistics.median(times)
        rate = f"{products * result['flops'] / seconds / 1e9:4.0f} GF/s" if result["flops"] else " " * 9
        return f"{seconds * 1e3:6.2f} {rate}"

    forward, backward = zip(*result["times"]["hpcgen"])
    text = f"{text:36} {shown(forward, 1)} {shown(backward, 2)}   "
    if "best" in result:
        forward, backward = zip(*result["times"][result["best"]])
        text += f"{statistics.median(forward) * 1e3:8.2f} {statistics.median(backward) * 1e3:8.2f}  "
        text += f"{statistics.median(result['ratios']):5.2f}"
    return text


def work(text):
    """Run as the racer of hpcgen."""
    from hpcgen import runtime

    runtime.prepare_process()
    import numpy as np

    from hpcgen.models.networks.specs import LAYERS as KINDS
    from hpcgen.nn.vector import Layout, Vector

    kind, batch, sizes, channels, outputs = json.loads(text)
    names = {"dense": ["outputs"], "batch-norm": []}.get(kind, ["channels"])
    layer, _ = KINDS[kind](*[outputs for _ in names]).build("layer", (*sizes, channels), 1.0)
    random = np.random.default_rng(0)
    theta = Vector(Layout(layer.parameters(), layer.buffers()))
    grad = Vector(theta.layout)
    layer.initialize(theta, random)
    x = random.standard_normal((batch, *sizes, channels), dtype=np.float32)
    y, _ = layer.forward(theta, x)
    dy = random.standard_normal(y.shape, dtype=np.float32)
    places = min(x[..., 0].size, y[..., 0].size)
    weight = getattr(layer, "weight", None)
    flops = 2 * places * theta[weight].size if weight else 0

    def run(count):
        first = second = 0.0
        for _ in range(count):
            start = perf_counter()
            _, backward = layer.forward(theta, x)
            middle = perf_counter()
            backward(dy, grad)
            first, second = first + middle - start, second + perf_counter() - middle
        return [first, second]

    with runtime.one_blas_thread():
        race(run, {"flops": flops})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(*sys.argv[2:])
    else:
        main()
