"""Measure the quality of trained models, and compare it with PyTorch or with simpler models.

    python benchmarks/learning.py --torch PYTHON
    python benchmarks/learning.py --only rvae linear      the studies that do not need torch

PYTHON is an interpreter that has torch (pip install torch==2.13.0). All studies take minutes on two cores:

vae     digits of 28 x 28: the evidence lower bound of held-out digits, hpcgen and PyTorch, five seeds each
gan     digits of 8 x 8: the Frechet distance of mlpgan, hpcgen and PyTorch, five seeds each
rvae    English text: bits per character of held-out licences, compared with a unigram and a bigram model
linear  errors of theta, compared with least squares

PyTorch's networks train with another order of the data. `hpcgen evaluate` measures them in the same way as
hpcgen's networks. The results are written to results/learning.json and learning.png.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter, strftime

from hpcgen import runtime

runtime.prepare_process()

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402

from hpcgen.config.reading import parse_config  # noqa: E402
from hpcgen.data.prepare import PrepareOptions, prepare  # noqa: E402
from hpcgen.data.reading import DataFiles  # noqa: E402
from hpcgen.data.sources.digits import Digits  # noqa: E402
from hpcgen.data.sources.linear import LinearModel  # noqa: E402
from hpcgen.data.sources.text import Text  # noqa: E402
from hpcgen.evaluation.evaluation import Evaluation  # noqa: E402
from hpcgen.nn.vector import Vector  # noqa: E402
from hpcgen.training.loop import Training  # noqa: E402

HERE = Path(__file__).resolve().parent
LICENCES = Path("/usr/share/common-licenses")
HELD_OUT = ("MPL-2.0", "CC0-1.0")
SEEDS = range(5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--torch", metavar="PYTHON", help="an interpreter that has torch; vae and gan need it"
    )
    parser.add_argument("--only", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = {"time": strftime("%Y-%m-%d %H:%M")}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            start = perf_counter()
            results[name] = STUDIES[name](Path(folder), options.torch)
            results[name]["seconds"] = round(perf_counter() - start)
            print(f"{name}: {json.dumps(results[name])}", flush=True)
    (options.out / "learning.json").write_text(json.dumps(results, indent=1) + "\n")
    plot(results, options.out / "learning.png")
    print(f"{options.out / 'learning.json'}, learning.png")


def trained(text, curve=lambda training, statistics, last: None):
    """Train with the text of a run file, on one rank. Return the Training, closed."""
    with closing(Training(parse_config(text), MPI.COMM_SELF)) as training:
        training.run([curve])
    return training


def figures(training, path, theta=None, **keys):
    """Return the measures of a training's model on the data file `path`, with its own or the given theta."""
    with DataFiles([str(path)]) as files:
        evaluation = Evaluation(training.model, training.shards.schema, files, MPI.COMM_SELF, **keys)
        with closing(evaluation):
            return evaluation.measures(theta or training.sampled())


def beside_torch(torch, folder, train, test, player, net, steps, text, figure, **keys):
    """Train five seeds with hpcgen and with PyTorch. Return the values of the measure `figure` for both."""
    if not torch:
        raise SystemExit(f"{net}: give --torch PYTHON, or --only rvae linear")
    ours, theirs = [], []
    for seed in SEEDS:
        training = trained(f"{text}\nseed = {seed}\ntrain = {{ steps = {steps}, lanes = 8, lane_size = 16 }}")
        ours.append(figures(training, test, **keys)[figure])
        with h5py.File(train) as file:
            np.save(folder / "data.npy", training.model.units.encode(file["samples"][...]))
        command = [
            torch,
            HERE / "yardstick.py",
            "learn",
            net,
            folder / "data.npy",
            128,
            steps,
            seed,
            folder / "theta.npz",
        ]
        subprocess.run([str(word) for word in command], check=True)
        theta = {name: Vector(vector.layout, vector.data.copy()) for name, vector in training.theta.items()}
        with np.load(folder / "theta.npz") as found:
            for name in found.files:
                theta[player][name][...] = found[name]
        theirs.append(figures(training, test, theta, **keys)[figure])
    return ours, theirs


def vae(folder, torch):
    train, test = folder / "digits-train.h5", folder / "digits-test.h5"
    prepare(lambda: Digits(28), train, MPI.COMM_SELF, PrepareOptions(hold_out=test))
    adam = 'optimizer = { name = "adam", learning_rate = 0.001, beta1 = 0.9 }'
    text = f'data.path = "{train}"\nmodel.kind = "vae"\n{adam}'
    ours, theirs = beside_torch(torch, folder, train, test, "vae", "vae", 3000, text, "elbo")
    # The second value of each pair is the bound of held-out data.
    mine, yardstick = [b for _, b in ours], [b for _, b in theirs]
    gap = statistics.mean(mine) / statistics.mean(yardstick) - 1
    return {
        "hpcgen": mine,
        "torch": yardstick,
        "relative gap of the means": gap,
        "within 1 %": abs(gap) <= 0.01,
    }


def gan(folder, torch):
    prepare(Digits, folder / "digits.h5", MPI.COMM_SELF)
    path = folder / "digits.h5"
    text = f'data.path = "{path}"\nmodel.network = "mlpgan"'
    ours, theirs = beside_torch(
        torch, folder, path, path, "generator", "mlpgan", 5000, text, "frechet_distance"
    )
    mine, yardstick = [a for a, _ in ours], [a for a, _ in theirs]
    within = min(yardstick) <= statistics.median(mine) <= max(yardstick)
    return {"hpcgen": mine, "torch": yardstick, "real data": ours[0][1], "median within torch's": within}


def rvae(folder, torch):
    """Tokens are bytes, so that the files for training and testing have the same vocabulary."""
    files = [path for path in sorted(LICENCES.iterdir()) if path.is_file() and not path.is_symlink()]
    sets = {
        "train": [p for p in files if p.name not in HELD_OUT],
        "test": [p for p in files if p.name in HELD_OUT],
    }
    for name, chosen in sets.items():
        prepare(lambda: Text(chosen, 64, "bytes"), folder / f"{name}.h5", MPI.COMM_SELF)
    curve = []

    def note(training, statistics, last):
        if training.step % 50 == 0:
            curve.append((training.step, -statistics["rvae"]["elbo"] / 64 / np.log(2)))

    text = f"""
        data.path = "{folder / "train.h5"}"
        model = {{ kind = "rvae", network = "text", hidden = 192, kl_warmup = 500 }}
        train = {{ steps = 1500, lanes = 2, lane_size = 32 }}
        [optimizer]
        name = "adam"
        learning_rate = 0.003
        beta1 = 0.9
        schedule = "cosine"
        clip_norm = 5.0
        """
    training = trained(text, note)
    found = figures(training, folder / "test.h5")
    tokens = {}
    for name in sets:
        with h5py.File(folder / f"{name}.h5") as file:
            tokens[name] = file["samples"][...]
    unigram, bigram = ngrams(tokens["train"], tokens["test"])
    bits = found["bits_a_character"][1]
    beats = bits < bigram < unigram
    return {
        "bits a character": bits,
        "unigram": unigram,
        "bigram": bigram,
        "beats both": beats,
        "curve": curve,
    }


def ngrams(train, test, vocabulary=256):
    """Return the bits per character of held-out text (n, length) under a unigram and a bigram model.

    The unigram model has add-one smoothing. The bigram model is smoothed towards the unigram model. Its
    weight is chosen on the held-out text, which favours the bigram model.
    """
    one = np.bincount(train.ravel(), minlength=vocabulary) + 1.0
    one /= one.sum()
    pairs = train[:, :-1].astype(int) * vocabulary + train[:, 1:]
    seen = np.bincount(pairs.ravel(), minlength=vocabulary**2).reshape(vocabulary, vocabulary)
    best = np.inf
    for weight in (1, 3, 10, 30, 100):
        two = (seen + weight * one) / (seen.sum(1, keepdims=True) + weight)
        bits = -np.log2(one[test[:, 0]]).sum() - np.log2(two[test[:, :-1], test[:, 1:]]).sum()
        best = min(best, bits / test.size)
    return float(-np.log2(one[test]).mean()), float(best)


def linear(folder, torch):
    path = folder / "linear.h5"
    prepare(lambda: LinearModel(200_000, 20, 5, 0.1, 0), path, MPI.COMM_SELF)
    text = f"""
        data.path = "{path}"
        model.kind = "linear"
        train = {{ steps = 4000, lanes = 8, lane_size = 256 }}
        [optimizer]
        name = "adam"
        learning_rate = 0.01
        beta1 = 0.9
        schedule = "cosine"
        average = 0.995
        """
    found = figures(trained(text), path)
    mine, closed = found["theta_error"]
    return {
        "theta's largest error": mine,
        "least squares'": closed,
        "to least squares": found["theta_error_to_least_squares"][0],
        "to 1e-3": mine <= 1e-3,
    }


STUDIES = {"vae": vae, "gan": gan, "rvae": rvae, "linear": linear}


def plot(results, path):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, middle, right = figure.subplots(1, 3)
    for axes, name, title in (
        (left, "vae", "VAE: bound of held-out digits, nats"),
        (middle, "gan", "GAN: Frechet distance"),
    ):
        axes.set_title(title)
        if name in results:
            for x, side in enumerate(("hpcgen", "torch")):
                axes.plot([x] * len(SEEDS), results[name][side], "o", label=side)
            axes.set_xticks([0, 1], ["hpcgen", "PyTorch"])
            axes.set_xlim(-0.5, 1.5)
    right.set_title("RVAE: bits per character")
    if "rvae" in results:
        found = results["rvae"]
        right.plot(*zip(*found["curve"]), label="bound in training")
        for name, style in (("bits a character", "-"), ("bigram", "--"), ("unigram", ":")):
            right.axhline(
                found[name], color="black", linestyle=style, label="held out" if style == "-" else name
            )
        right.set_xlabel("step")
        right.legend()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    sys.exit(main())
