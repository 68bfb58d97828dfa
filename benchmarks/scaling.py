"""Measure weak and strong scaling of a training run, and its start-up time.

    . jobs/environment.sh && python benchmarks/scaling.py 1 2 4           the digits, on this machine
    python benchmarks/scaling.py 1 8 64 --launcher "srun --mpi=pmix -n" --run-file my.toml --data my.h5

It prints tables, and writes scaling.json and scaling.png. Weak scaling has a constant number of lanes per
rank, strong scaling a constant number of lanes. Efficiency is samples/s per rank, relative to the smallest
number of ranks. "Training" is the time of compute, exchange (including waiting), data and update of the
slowest rank. "Whole run" is the time of the command from launch to end. This process does not start MPI: each
time is measured for a launched job, and launches alternate between the numbers of ranks.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, strftime

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

HERE = Path(__file__).resolve().parent
PARTS = {"compute": "#3b8ea5", "exchange": "#f0a04b", "data": "#a5435c", "update": "#c3ced3"}
MODES = {"weak": "#1f5fa8", "strong": "#d9542b"}
# A program that finds the nodes and cores of the ranks, and the seconds of the slowest rank for imports other
# than MPI. It is run with -m mpi4py, so that all ranks end if one fails.
PROBE = """
import json, os, sys, time
from hpcgen import runtime
runtime.prepare_process()
from mpi4py import MPI
start = time.perf_counter()
import hpcgen.cli, hpcgen.training.run, numpy.random, threadpoolctl
seconds = time.perf_counter() - start
ranks = MPI.COMM_WORLD.gather([os.uname().nodename, os.sched_getaffinity(0), seconds])
if ranks:
    nodes, allowed, seconds = zip(*ranks)
    cores = len({(node, core) for node, its in zip(nodes, allowed) for core in its})
    sys.excepthook = lambda kind, error, trace: print(f"{kind.__name__}: {error}", file=sys.stderr)
    config = hpcgen.training.run.load_config(sys.argv[1], sys.argv[2:])
    about = {"config": config.table(), "environment": runtime.environment()}
    place = {"ranks": len(ranks), "nodes": len(set(nodes)), "cores": cores}
    place["oversubscribed"] = len(ranks) > cores
    print(json.dumps({"place": place, "import": max(seconds), "about": about}))
"""


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    # The folder is not in /tmp, because all nodes must see it.
    with tempfile.TemporaryDirectory(prefix=".scaling-", dir=options.out.resolve()) as folder:
        if not options.data:
            options.data = Path(folder, f"digits-{options.size}.h5")
            launch(options, 1, "-m", "hpcgen", "prepare", "digits", options.data, "--size", options.size)
        # Checkpoints and pictures are written only at the last step, unless --set changes this.
        rare = (f"checkpoint.every={options.steps}", f"samples.every={options.steps}")
        options.settings = [
            *rare,
            *options.settings,
            f"data.path={options.data}",
            f"train.steps={options.steps}",
        ]
        report = {
            "started": strftime("%Y-%m-%d %H:%M:%S"),
            "node": os.uname().nodename,
            "cores": len(os.sched_getaffinity(0)),
        }
        report |= {"options": vars(options), **start_up(options)}
        report["scaling"] = scaling(options, Path(folder), report["config"]["train"]["lane_size"])
    (options.out / "scaling.json").write_text(json.dumps(report, indent=1, default=str) + "\n")
    draw(report, options.out / "scaling.png")
    print(*text(report), "", options.out / "scaling.json", options.out / "scaling.png", sep="\n")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add, cores = parser.add_argument, len(os.sched_getaffinity(0))
    add(
        "ranks",
        type=int,
        nargs="*",
        help="numbers of ranks (default: powers of two up to the number of cores)",
    )
    add("--mode", choices=(*MODES, "both"), default="both")
    add(
        "--run-file",
        type=Path,
        default=HERE.parent / "jobs" / "digits.toml",
        help="(default: jobs/digits.toml)",
    )
    add("--data", type=Path, help="a data file (default: the digits, in a temporary file)")
    add("--size", type=int, default=28, help="size of the digits in pixels (default: %(default)s)")
    add("--steps", type=int, default=200, help="steps of each run (default: %(default)s)")
    add("--lanes-per-rank", type=int, default=4, help="for weak scaling (default: %(default)s)")
    add(
        "--lanes",
        type=int,
        help="for strong scaling (default: lanes per rank times the largest number of ranks)",
    )
    add("--repeats", type=int, default=3, help="repeats of each launch (default: %(default)s)")
    add(
        "--launcher",
        default=f"{os.environ.get('MPIRUN', 'mpirun')} -n",
        help="command that starts ranks; the number of ranks is appended (default: %(default)s)",
    )
    add(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="a setting for hpcgen train",
    )
    add(
        "--out",
        type=Path,
        default=HERE / "results",
        help="a folder that all nodes see (default: benchmarks/results)",
    )
    options = parser.parse_args()
    options.ranks = sorted(set(options.ranks)) or [2**i for i in range(cores.bit_length())]
    options.lanes = options.lanes or options.lanes_per_rank * options.ranks[-1]
    if (
        min(options.ranks[0], options.repeats, options.lanes_per_rank) < 1
        or options.lanes < options.ranks[-1]
    ):
        parser.error(
            "ranks, --repeats and --lanes-per-rank must be at least 1, and --lanes at least the largest "
            "number of ranks"
        )
    if any(setting.startswith(("train.steps", "train.lanes", "data.path")) for setting in options.settings):
        parser.error("instead of --set, use --steps, --lanes, --lanes-per-rank and --data")
    return options


def launch(options, ranks, *arguments):
    """Run this Python on `ranks` ranks (0: without MPI). Return the wall-clock seconds and the output.

    If it fails, print its output and exit.
    """
    launcher = [*shlex.split(options.launcher), ranks] if ranks else []
    command = [str(word) for word in (*launcher, sys.executable, *arguments)]
    start = perf_counter()
    # Use one core per rank, unless the user has set another number: a single rank would use all cores.
    env = {"OMP_NUM_THREADS": "1", **os.environ}
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    except OSError as error:
        sys.exit(f"scaling: cannot start {command[0]}: {error.strerror}; see --launcher")
    if done.returncode:
        shown = shlex.join(command).replace(shlex.quote(PROBE), "PROBE")
        sys.exit(f"scaling: exit status {done.returncode} of {shown}\n{done.stdout}{done.stderr}".rstrip())
    return perf_counter() - start, done.stdout


def start_up(options):
    """Measure the seconds that Python, MPI and hpcgen's imports take, at one rank and at each rank count."""
    python, rows = [], {n: {"mpi": [], "import": []} for n in sorted({1, *options.ranks})}
    for _ in range(options.repeats):
        python.append(launch(options, 0, "-c", "pass")[0])
        for n, row in rows.items():
            row["mpi"].append(launch(options, n, "-c", "from mpi4py import MPI")[0])
            # With -m mpi4py all ranks end if one fails.
            probe = (
                "-m",
                "mpi4py",
                "-c",
                PROBE,
                options.run_file,
                *options.settings,
                f"train.lanes={options.lanes}",
            )
            found = json.loads(launch(options, n, *probe)[1].splitlines()[-1])
            if found["place"]["ranks"] != n:
                sys.exit(
                    f"scaling: {options.launcher} {n} starts {found['place']['ranks']} ranks: does "
                    "--launcher belong to another MPI?"
                )
            row["import"].append(found["import"])
            row |= found["place"]
    for row in rows.values():
        row |= {"mpi": summary(np.array(row["mpi"]) - np.median(python)), "import": summary(row["import"])}
    return {**found["about"], "python": summary(python), "start_up": [*rows.values()]}


def scaling(options, folder, lane_size):
    """Return {mode: rows} with a row for each number of ranks. A point of both modes is measured once."""
    lanes = {"weak": lambda n: n * options.lanes_per_rank, "strong": lambda n: options.lanes}
    points = {
        mode: [(n, lanes[mode](n)) for n in options.ranks] for mode in MODES if options.mode in (mode, "both")
    }
    runs = {point: [] for point in sorted(set(sum(points.values(), [])))}
    for point in [*runs] * options.repeats:
        runs[point].append(train(options, folder, *point))
    return {mode: summarize(points[mode], runs, options.steps * lane_size) for mode in points}


def train(options, folder, ranks, lanes):
    """Train once. Return the seconds of training, of the whole run, and of each part (mean over ranks)."""
    settings = [
        word for setting in (*options.settings, f"train.lanes={lanes}") for word in ("--set", setting)
    ]
    with tempfile.TemporaryDirectory(dir=folder) as run:
        timings = Path(run, "timings.json")
        command = (
            "-m",
            "hpcgen",
            "train",
            options.run_file,
            "--run",
            run,
            "--progress",
            "off",
            "--timings",
            timings,
        )
        whole, _ = launch(options, ranks, *command, *settings)
        spent = np.array([[rank[part] for part in PARTS] for rank in json.loads(timings.read_text())])
    print(f"{ranks} ranks, {lanes} lanes: {whole:.2f} s", file=sys.stderr)
    return {"training": spent.sum(axis=1).max(), "whole": whole, "parts": spent.mean(axis=0)}


def summarize(points, runs, lane_samples):
    """Return a row for each point: samples/s, efficiency, and each part's share of training."""
    rows = []
    for ranks, lanes in points:
        shares = np.median([run["parts"] / run["parts"].sum() for run in runs[ranks, lanes]], axis=0)
        rows.append({"ranks": ranks, "lanes": lanes, "shares": dict(zip(PARTS, shares / shares.sum()))})
        for kind in ("training", "whole"):
            rate = rows[-1][kind] = summary([lane_samples * lanes / run[kind] for run in runs[ranks, lanes]])
            rate["efficiency"] = rate["median"] / ranks / (rows[0][kind]["median"] / rows[0]["ranks"])
    return rows


def summary(values):
    return {"median": np.median(values), "min": min(values), "max": max(values), "all": [*values]}


def text(report):
    """Yield the lines of the tables."""
    options, start, stars = report["options"], report["start_up"], starred(report)
    yield f"node {report['node']}, {report['cores']} cores; launcher {options['launcher']}"
    yield from (f"{name:8}{version}" for name, version in report["environment"].items())
    yield f"{subject(report)}; medians of {options['repeats']} (smallest-largest)"
    yield f"\nstart-up in seconds; Python alone {spread(report['python'], '.3f')}"
    lines = [
        (stars[r["ranks"]], r["nodes"], r["cores"], spread(r["mpi"], ".2f"), spread(r["import"], ".2f"))
        for r in start
    ]
    yield from table(("ranks", "nodes", "cores", "MPI start-up", "import of hpcgen"), *lines)
    for mode, rows in report["scaling"].items():
        lanes = {
            "weak": f"{options['lanes_per_rank']} lanes per rank",
            "strong": f"{options['lanes']} lanes",
        }[mode]
        yield f"\n{mode} scaling, {lanes}: samples/s of training and of the whole run, shares of training"
        rates = [
            (spread(r["training"]), f"{r['training']['efficiency']:.0%}", spread(r["whole"])) for r in rows
        ]
        shares = [[f"{share:.1%}" for share in row["shares"].values()] for row in rows]
        lines = [(stars[row["ranks"]], *rate, *share) for row, rate, share in zip(rows, rates, shares)]
        yield from table(("ranks", "training", "efficiency", "whole run", *PARTS), *lines)
    yield from ["\n* oversubscribed: more ranks than cores"] * any(row["oversubscribed"] for row in start)


def table(*lines):
    widths = [max(len(str(cell)) for cell in column) for column in zip(*lines)]
    return ["  ".join(str(cell).rjust(width) for cell, width in zip(line, widths)) for line in lines]


def spread(figure, form=",.0f"):
    return f"{figure['median']:{form}} ({figure['min']:{form}}-{figure['max']:{form}})"


def starred(report):
    """Return {ranks: label}. A label has a star if there are more ranks than cores."""
    return {
        row["ranks"]: f"{row['ranks']}{'*' if row['oversubscribed'] else ' '}" for row in report["start_up"]
    }


def subject(report):
    model, train, parallel = (report["config"][key] for key in ("model", "train", "parallel"))
    name = f"{model['kind']} {model.get('network', 'model')} of {Path(report['config']['data']['path']).name}"
    lanes = f"{train['lane_size']} samples per lane, {train['steps']} steps"
    return f"{name}: {lanes}, exchange {parallel['exchange']}"


def draw(report, path):
    """Draw throughput, efficiency and the shares of the parts side by side, as PNG."""
    matplotlib.rc(
        "axes", titlelocation="left", **{f"spines.{side}": False for side in ("top", "left", "right")}
    )
    figure = FigureCanvasAgg(Figure(figsize=(14, 4.4), layout="constrained")).figure
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
    for mode, rows in report["scaling"].items():
        rates = np.array([[row["training"][key] for row in rows] for key in ("median", "min", "max")])
        ranks = np.array([row["ranks"] for row in rows])
        ideal = rates[0, 0] / ranks[0] * ranks
        for axes, unit in ((left, 1), (middle, ideal)):
            median, low, high = rates / unit
            axes.plot(ranks, ideal / unit, "--", color=MODES[mode], alpha=0.5, linewidth=1)
            axes.errorbar(
                ranks,
                median,
                (median - low, high - median),
                color=MODES[mode],
                marker="o",
                capsize=3,
                label=mode,
            )
            axes.set_xscale("log", base=2)
            axes.set(xlabel="ranks", xticks=ranks, xticklabels=[starred(report)[n] for n in ranks])
            axes.grid(axis="y", color="#e3e7ea")
    left.set(title="Training, samples/s (dashed: ideal)", yscale="log")
    left.yaxis.set(
        major_locator=LogLocator(subs=(1, 2, 3, 5)), major_formatter="{x:,.0f}", minor_formatter=""
    )
    left.legend(frameon=False)
    middle.set(title="Parallel efficiency of training", ylim=(0, None))
    middle.yaxis.set_major_formatter("{x:.0%}")
    draw_shares(right, report)
    note = f"{subject(report)}; {report['node']}; median and range of {report['options']['repeats']}; "
    note += "* more ranks than cores"
    figure.supxlabel(note, x=0.01, ha="left", fontsize="small", color="#555555")
    figure.savefig(path, dpi=150)


def draw_shares(axes, report):
    """Draw the shares of the parts of training as stacked bars, one bar for each mode and number of ranks."""
    modes, rows = zip(*((mode, row) for mode, rows in report["scaling"].items() for row in rows))
    modes, bottom, turned = np.array(modes), np.zeros(len(rows)), 90 * (len(rows) > 12)
    places = np.arange(len(rows)) + 0.6 * (modes != modes[0])
    for part, color in PARTS.items():
        share = np.array([row["shares"][part] for row in rows])
        bars = axes.bar(places, share, 0.8, bottom, color=color, label=part)
        labels = [f"{x:.0%}" if x > 0.04 else "" for x in share]
        axes.bar_label(bars, labels, label_type="center", fontsize="x-small", rotation=turned)
        bottom += share
    axes.set_xticks(places, [starred(report)[row["ranks"]] for row in rows], rotation=turned)
    axes.set(title="Shares of training", ylim=(0, 1), yticks=[])
    for mode in report["scaling"]:
        axes.text(places[modes == mode].mean(), -0.17, f"ranks, {mode} scaling", ha="center")
    axes.legend(frameon=False, reverse=True, loc="center left", bbox_to_anchor=(1, 0.5))


if __name__ == "__main__":
    main()
