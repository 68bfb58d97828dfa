"""Measure weak and strong scaling of a training run, and its start-up: tables, scaling.json and scaling.png.

    . jobs/environment.sh
    python benchmarks/scaling.py 1 2 4                                    the digits, on this machine
    python benchmarks/scaling.py 1 8 64 --launcher "srun --mpi=pmix -n" --run-file my.toml --data my.h5

Weak scaling keeps the lanes a rank, strong scaling the lanes; by default both end at the same point. Efficiency at R ranks
is samples/s a rank over that at the smallest rank count. "Training" is the compute, exchange (waiting for other ranks
included), data and update of the slowest rank; "whole run" is the command from launch to end.

This process never starts MPI: every figure is of a launch of its own, and launches take turns over the rank counts.
"""

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from time import perf_counter, strftime

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

HERE = Path(__file__).resolve().parent
PARTS = {"compute": "#3b8ea5", "exchange": "#f0a04b", "data": "#a5435c", "update": "#c3ced3"}
MODES = {"weak": "#1f5fa8", "strong": "#d9542b"}
OURS = {"train.steps": "--steps", "train.lanes": "--lanes or --lanes-per-rank", "data.path": "--data"}
# Each rank's node, the cores that it may use, and the seconds of the imports that `hpcgen train` adds to MPI's.
PROBE = """
import json, os, platform, sys
from time import perf_counter
from hpcgen import runtime
runtime.prepare_process()
from mpi4py import MPI
start = perf_counter()
import hpcgen.cli, hpcgen.run, numpy.random, threadpoolctl
seconds = perf_counter() - start
ranks = MPI.COMM_WORLD.gather([platform.node(), sorted(os.sched_getaffinity(0)), seconds])
if ranks:
    sys.excepthook = lambda kind, error, trace: print(f"{kind.__name__}: {error}", file=sys.stderr)
    config = hpcgen.run.load_config(sys.argv[1], sys.argv[2:]).table()
    print(json.dumps({"ranks": ranks, "config": config, "environment": runtime.environment()}))
"""


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    # Beside the results and not in /tmp: every node must see it.
    with tempfile.TemporaryDirectory(prefix=".scaling-", dir=options.out.resolve()) as folder:
        if not options.data:
            options.data = Path(folder, "digits.h5")
            launch(options, 1, "-m", "hpcgen", "prepare", "digits", options.data, "--size", options.size)
        report = {"started": strftime("%Y-%m-%d %H:%M:%S"), "node": platform.node(), "cores": len(os.sched_getaffinity(0))}
        report |= {"options": vars(options), **start_up(options)}
        report["scaling"] = scaling(options, Path(folder), report["config"]["train"]["lane_size"])
    (options.out / "scaling.json").write_text(json.dumps(report, indent=1, default=str) + "\n")
    draw(report, options.out / "scaling.png")
    print(*text(report), "", options.out / "scaling.json", options.out / "scaling.png", sep="\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add, cores = parser.add_argument, len(os.sched_getaffinity(0))
    add("ranks", type=int, nargs="*", help="rank counts (default: powers of two up to the number of cores)")
    add("--mode", choices=(*MODES, "both"), default="both")
    add("--run-file", type=Path, default=HERE.parent / "jobs" / "digits.toml", help="(default: jobs/digits.toml)")
    add("--data", type=Path, help="a data file (default: the digits, prepared for the occasion)")
    add("--size", type=int, default=28, help="of the digits, in pixels (default: %(default)s)")
    add("--steps", type=int, default=200, help="of every run (default: %(default)s)")
    add("--lanes-per-rank", type=int, default=4, help="in weak scaling (default: %(default)s)")
    add("--lanes", type=int, help="in strong scaling (default: the lanes a rank times the largest rank count)")
    add("--repeats", type=int, default=3, help="of every launch (default: %(default)s)")
    launcher = f"{os.environ.get('MPIRUN', 'mpirun')} -n"
    add("--launcher", default=launcher, help="the command that a number of ranks completes (default: %(default)s)")
    add("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE", help="for hpcgen train")
    add("--out", type=Path, default=HERE / "results", help="a folder that all nodes see (default: benchmarks/results)")
    options = parser.parse_args()
    options.ranks = sorted(set(options.ranks)) or [2**i for i in range(cores.bit_length())]
    options.lanes = options.lanes or options.lanes_per_rank * options.ranks[-1]
    if min(options.ranks[0], options.steps, options.repeats, options.lanes_per_rank) < 1:
        parser.error("ranks, --steps, --repeats and --lanes-per-rank must be at least 1")
    if options.lanes < options.ranks[-1]:
        parser.error(f"--lanes {options.lanes} are fewer than {options.ranks[-1]} ranks")
    for key in OURS.keys() & {setting.partition("=")[0].strip() for setting in options.settings}:
        parser.error(f"--set {key}: use {OURS[key]}")
    return options


def launch(options, ranks, *arguments):
    """Run this Python on `ranks` ranks (0: without MPI); return wall-clock seconds and output, or say all it said and end."""
    launcher = [*shlex.split(options.launcher), str(ranks)] if ranks else []
    command = [*launcher, sys.executable, *map(str, arguments)]
    start = perf_counter()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        sys.exit(f"scaling: cannot start {command[0]}: {error.strerror}; see --launcher")
    seconds = perf_counter() - start
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}scaling: exit status {done.returncode} of {shlex.join(command)}")
    return seconds, done.stdout


def overrides(options, lanes):
    """Return what is set over the run file; checkpoints and pictures come at the last step only."""
    rare = [f"{key}.every={options.steps}" for key in ("checkpoint", "samples")]
    return [*rare, *options.settings, f"data.path={options.data}", f"train.steps={options.steps}", f"train.lanes={lanes}"]


def start_up(options):
    """Measure the seconds that Python, MPI and hpcgen's imports take, at one rank and at each rank count."""
    counts = sorted({1, *options.ranks})
    python, mpi, probes = [], {n: [] for n in counts}, {n: [] for n in counts}
    for repeat in range(options.repeats):
        python.append(launch(options, 0, "-c", "pass")[0])
        for n in counts:
            probes[n].append(probe(options, n))
            mpi[n].append(launch(options, n, "-c", "from mpi4py import MPI")[0])
            tell(f"repeat {repeat + 1} of {options.repeats}: start of {n} ranks {mpi[n][-1]:.2f} s")
    rows = []
    for n in counts:
        nodes, cores, _ = zip(*probes[n][0]["ranks"])
        cores = len({(node, core) for node, its in zip(nodes, cores) for core in its})
        seconds = [max(seconds for _, _, seconds in found["ranks"]) for found in probes[n]]
        row = {"ranks": n, "nodes": len(set(nodes)), "cores": cores, "oversubscribed": n > cores}
        rows.append({**row, "mpi": summary(np.array(mpi[n]) - np.median(python)), "import": summary(seconds)})
    found = probes[counts[-1]][0]
    return {"config": found["config"], "environment": found["environment"], "python": summary(python), "start_up": rows}


def probe(options, ranks):
    """Return what PROBE finds on `ranks` ranks."""
    _, output = launch(options, ranks, "-c", PROBE, options.run_file, *overrides(options, options.lanes))
    found = json.loads(output.splitlines()[-1])
    if len(found["ranks"]) != ranks:
        sys.exit(f"scaling: {options.launcher} {ranks} is not the launcher of {found['environment']['mpi']}; see --launcher")
    return found


def scaling(options, folder, lane_size):
    """Return {mode: rows}, one row a rank count. A point that both modes share is measured once."""
    lanes = {"weak": lambda n: n * options.lanes_per_rank, "strong": lambda n: options.lanes}
    points = {mode: [(n, lanes[mode](n)) for n in options.ranks] for mode in MODES if options.mode in (mode, "both")}
    runs = {point: [] for point in sorted(set(sum(points.values(), [])))}
    for repeat in range(options.repeats):
        for n, lanes in runs:
            seconds = train(options, folder, n, lanes)
            runs[n, lanes].append(seconds)
            tell(f"repeat {repeat + 1} of {options.repeats}: {n} ranks, {lanes} lanes {seconds['training']:.2f} s")
    batch = options.steps * lane_size
    return {mode: with_efficiency([row(*p, runs[p], batch * p[1]) for p in points[mode]]) for mode in points}


def train(options, folder, ranks, lanes):
    """Train once; return seconds of training, of the whole run, and of each part (means over ranks)."""
    run, timings = folder / "run", folder / "timings.json"
    settings = [word for setting in overrides(options, lanes) for word in ("--set", setting)]
    command = ("-m", "hpcgen", "train", options.run_file, "--run", run, "--progress", "off", "--timings", timings)
    whole, _ = launch(options, ranks, *command, *settings)
    spent = np.array([[rank[part] for part in PARTS] for rank in json.loads(timings.read_text())])
    shutil.rmtree(run)
    return {"training": spent.sum(axis=1).max(), "whole": whole, "parts": spent.mean(axis=0)}


def row(ranks, lanes, runs, samples):
    """Return samples/s over the repeats `runs` of one point, and each part's share of training."""
    shares = np.median([run["parts"] / run["parts"].sum() for run in runs], axis=0)
    rates = {kind: summary([samples / run[kind] for run in runs]) for kind in ("training", "whole")}
    return {"ranks": ranks, "lanes": lanes, **rates, "shares": dict(zip(PARTS, (shares / shares.sum()).tolist()))}


def with_efficiency(rows):
    for kind in ("training", "whole"):
        a_rank = [row[kind]["median"] / row["ranks"] for row in rows]
        for row, rate in zip(rows, a_rank):
            row[kind]["efficiency"] = rate / a_rank[0]
    return rows


def summary(values):
    return {"median": float(np.median(values)), "min": float(min(values)), "max": float(max(values)), "all": [*map(float, values)]}


def tell(line):
    print(line, file=sys.stderr, flush=True)


def text(report):
    """Yield the lines of the tables."""
    options, start = report["options"], report["start_up"]
    stars = {row["ranks"]: f"{'* ' * row['oversubscribed']}{row['ranks']}" for row in start}
    yield f"node {report['node']}: {report['cores']} cores; launcher {options['launcher']}"
    yield from textwrap.wrap("; ".join(f"{name} {version}" for name, version in report["environment"].items()), 100)
    yield f"{subject(report)}; medians of {options['repeats']} (smallest-largest)"
    yield f"\nstart-up in seconds; Python alone {spread(report['python'], '.3f')}"
    cells = [(stars[r["ranks"]], r["nodes"], r["cores"], spread(r["mpi"], ".2f"), spread(r["import"], ".2f")) for r in start]
    yield from table(("ranks", "nodes", "cores", "MPI start-up", "import of hpcgen"), *cells)
    for mode, rows in report["scaling"].items():
        lanes = {"weak": f"{options['lanes_per_rank']} lanes a rank", "strong": f"{options['lanes']} lanes"}[mode]
        yield f"\n{mode} scaling, {lanes}: samples/s of training and of the whole run, shares of training"
        cells = [
            (stars[r["ranks"]], spread(r["training"]), f"{r['training']['efficiency']:.0%}", spread(r["whole"]))
            + tuple(f"{share:.1%}" for share in r["shares"].values())
            for r in rows
        ]
        yield from table(("ranks", "training", "efficiency", "whole run", *PARTS), *cells)
    yield from ["\n* oversubscribed: more ranks than cores"] * any(row["oversubscribed"] for row in start)


def table(*lines):
    """Yield the lines with their cells aligned to the right."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*lines)]
    for line in lines:
        yield "  ".join(str(cell).rjust(width) for cell, width in zip(line, widths))


def spread(figure, form=",.0f"):
    return f"{figure['median']:{form}} ({figure['min']:{form}}-{figure['max']:{form}})"


def subject(report):
    """Say in a line what was trained."""
    model, train, parallel = (report["config"][key] for key in ("model", "train", "parallel"))
    name = f"{model['kind']} {model.get('network', '')}".strip()
    return f"{name}: {train['lane_size']} samples a lane, {train['steps']} steps, exchange {parallel['exchange']}"


def draw(report, path):
    """Draw throughput, efficiency and the parts' shares side by side as PNG."""
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, middle, right = figure.subplots(1, 3)
    crowded = [row["ranks"] for row in report["start_up"] if row["oversubscribed"]]
    for mode, rows in report["scaling"].items():
        ranks = np.array([row["ranks"] for row in rows])
        rates = np.array([[row["training"][key] for key in ("median", "min", "max")] for row in rows]).T
        ideal = rates[0, 0] / ranks[0] * ranks
        draw_curve(left, mode, ranks, rates, ideal, crowded)
        draw_curve(middle, mode, ranks, 100 * rates / ideal, 100 + 0 * ranks, crowded)
    draw_shares(right, report["scaling"])
    left.set(title="Training throughput", ylabel="samples/s", yscale="log")
    middle.set(title="Parallel efficiency", ylabel="%", ylim=(0, None))
    right.set(title="Shares of training time", ylabel="%")
    figure.suptitle(subject(report))
    figure.savefig(path, dpi=150)


def draw_curve(axes, mode, ranks, values, ideal, crowded):
    """Draw a mode's medians with their spread over rank counts, hollow where oversubscribed, and the ideal."""
    median, low, high = values
    color = MODES[mode]
    axes.plot(ranks, ideal, "--", color=color, alpha=0.5, linewidth=1)
    axes.errorbar(ranks, median, (median - low, high - median), color=color, capsize=3, label=f"{mode} scaling")
    fill = ["white" if n in crowded else color for n in ranks]
    axes.scatter(ranks, median, 45, fill, edgecolors=color, linewidths=1.5, zorder=3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ranks, [str(n) for n in ranks], minor=False)


def draw_shares(axes, scaling):
    """Stack the parts of a rank's training time, a bar a rank count, the modes beside each other."""
    bars = [(mode, row) for mode, rows in scaling.items() for row in rows]
    bottom = np.zeros(len(bars))
    places = np.arange(len(bars)) + [list(scaling).index(mode) for mode, _ in bars]
    for part, color in PARTS.items():
        share = np.array([100 * row["shares"][part] for _, row in bars])
        axes.bar(places, share, 0.8, bottom, color=color, label=part)
        bottom += share
    axes.set_xticks(places, [str(row["ranks"]) for _, row in bars])


if __name__ == "__main__":
    main()
