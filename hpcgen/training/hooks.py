"""What happens between steps: progress, metrics, samples, checkpoints.

A hook is called on every rank as hook(training, statistics, last) after each step, statistics being {player: {name: mean}},
and closed when the run ends, however it ends.
"""

import csv
import sys
from time import monotonic

from hpcgen.checkpoints.folder import candidates
from hpcgen.checkpoints.folder import name as checkpoint_name
from hpcgen.data.file import DataFiles, paths_of, require_suitable
from hpcgen.evaluation.evaluate import Evaluation
from hpcgen.evaluation.groups import Features
from hpcgen.files.replacing import refusals
from hpcgen.parallel.agreement import agree
from hpcgen.sampling import showing
from hpcgen.sampling.origins import Prior, generate

SECONDS_BETWEEN_LINES = 4.0
# mpirun hides the terminal's width from the ranks.
COLUMNS = 110


class Hook:
    def close(self):
        """Release what the hook holds."""


class Bar(Hook):
    """A progress bar on a terminal, with samples/s and every player's loss."""

    def __init__(self, training):
        from tqdm import tqdm

        train = training.config.train
        self._samples = train.lanes * train.lane_size
        self._bar = tqdm(
            total=train.steps * self._samples,
            initial=training.step * self._samples,
            unit=" samples",
            unit_scale=True,
            ncols=COLUMNS,
            mininterval=0.2,
            desc="training",
        )

    def __call__(self, training, statistics, last):
        # tqdm redraws, and formats, only so often: so does the postfix.
        if last or self._bar._time() - self._bar.last_print_t >= self._bar.mininterval:
            self._bar.set_postfix_str(_losses(statistics), refresh=False)
        self._bar.update(self._samples)

    def close(self):
        self._bar.close()


class Lines(Hook):
    """A plain line every few seconds, for batch logs."""

    def __init__(self, training):
        self._time, self._step = monotonic(), training.step
        self._start = self._time, self._step

    def __call__(self, training, statistics, last):
        now, train = monotonic(), training.config.train
        if not last and now - self._time < SECONDS_BETWEEN_LINES:
            return
        rate = (training.step - self._step) * train.lanes * train.lane_size / max(now - self._time, 1e-9)
        start, first = self._start
        left = (train.steps - training.step) * (now - start) / (training.step - first)
        print(
            f"step {training.step} of {train.steps}  {rate:,.0f} samples/s  {_losses(statistics)}  {left:.0f} s left",
            flush=True,
        )
        self._time, self._step = now, training.step


class MetricsFile(Hook):
    """metrics.csv: a row of statistics every `config.metrics.every` steps, and of an evaluation's figures whenever they are
    due. Rank 0 writes.

    A run that resumes drops the rows after the step that it resumes from.
    """

    def __init__(self, path, training, evaluation=None):
        self._path, self._evaluation, self._file = path, evaluation, None
        layouts = training.model.layouts.items()
        columns = [
            f"{name}/{part}"
            for name, layout in layouts
            for part in layout.names(layout.statistics)
            if part != "count"
        ]
        if evaluation:
            columns += [f"evaluate/{name}/{key}" for name in evaluation.names for key in evaluation.keys]
            columns.append("evaluate/about")
        if training.comm.rank == 0:
            with refusals(path):
                known, rows = self._rows_until(training.step)
                columns = list(dict.fromkeys(["step", *columns, *known]))
                part = path.with_name(f".{path.name}.part")
                with open(part, "w", newline="") as file:
                    writer = csv.DictWriter(file, columns, lineterminator="\n")
                    writer.writeheader()
                    writer.writerows(rows)
                part.replace(path)
                self._file = open(path, "a", newline="")
                self._writer = csv.DictWriter(self._file, columns, lineterminator="\n")
        if evaluation and training.step and self._due(training):
            # A run that was killed while figures were taken makes up for them.
            there = training.comm.bcast(
                training.comm.rank == 0 and str(training.step) in {row["step"] for row in rows}
            )
            if not there:
                self._write(training, self._figures(training))

    def _rows_until(self, step):
        """Return the columns and the rows of the file until `step`."""
        if step == 0 or not self._path.exists():
            return [], []
        with open(self._path, newline="") as file:
            reader = csv.DictReader(file, restkey="")
            rows = [
                row
                for row in reader
                if (row["step"] or "").isdecimal() and int(row["step"]) <= step and "" not in row
            ]
            return reader.fieldnames, rows

    def __call__(self, training, statistics, last):
        config, row = training.config, {}
        if training.step % config.metrics.every == 0:
            row |= {
                f"{player}/{name}": value
                for player, values in statistics.items()
                for name, value in values.items()
            }
        if self._evaluation and self._due(training):
            row |= self._figures(training)
        if row:
            self._write(training, row)

    @staticmethod
    def _due(training):
        config = training.config
        return training.step % config.evaluate.every == 0 or training.step == config.train.steps

    def _figures(self, training):
        figures, keys = self._evaluation.figures(training.sampled()), self._evaluation.keys
        row = {
            f"evaluate/{name}/{key}": value
            for name, pair in figures.items()
            for key, value in zip(keys, pair)
        }
        return row | {"evaluate/about": self._evaluation.about}

    def _write(self, training, row):
        if self._file is not None:
            with refusals(self._path):
                self._writer.writerow({"step": training.step, **row})
                self._file.flush()

    def close(self):
        if self._file is not None:
            self._file.close()


def evaluation(training, stack):
    """Return the `Evaluation` that the run file asks for; its files are closed with `stack`. Collective over the training's
    ranks. Raises InputError."""
    asked, schema = training.config.evaluate, training.shards.schema
    with agree(training.comm):
        paths = paths_of(asked.data or training.config.data.path)
        files = stack.enter_context(DataFiles(paths))
        require_suitable(", ".join(paths), files, schema, "the training data")
        classifier = Features(asked.features) if asked.features else None
    made = Evaluation(
        training.model, schema, files, training.comm, asked.count or None, classifier=classifier
    )
    stack.callback(made.close)
    return made


class Samples(Hook):
    """samples/step-NNNNNNNN.png (text .txt, audio .wav) every `config.samples.every` steps and at the last. Rank 0 draws."""

    def __init__(self, folder, schema):
        self._folder, self._ending = folder, showing.natural(schema)

    def path(self, step):
        return self._folder / f"step-{step:08d}{self._ending}"

    def __call__(self, training, statistics, last):
        if last or training.step % training.config.samples.every == 0:
            self.draw(training)

    def draw(self, training):
        """Draw the samples that `hpcgen sample` gives for the run's seed, from the present parameters. Collective."""
        theta = training.sampled()
        if training.comm.rank:
            return
        config, schema = training.config, training.shards.schema
        samples = generate(
            training.model, theta, schema, Prior(training.model, config.seed), 0, config.samples.count
        )
        with refusals(self.path(training.step)):
            showing.save(samples, self.path(training.step), schema, self._ending)


class Checkpoints(Hook):
    """checkpoints/step-NNNNNNNN.h5 every `config.checkpoint.every` steps and at the last; the newest `keep` stay."""

    def __init__(self, folder):
        self._folder = folder

    def __call__(self, training, statistics, last):
        every, keep = training.config.checkpoint.every, training.config.checkpoint.keep
        if not (last or training.step % every == 0):
            return
        training.save(self._folder / checkpoint_name(training.step))
        if training.comm.rank == 0 and keep:
            for path in candidates(self._folder.parent)[keep:]:
                path.unlink(missing_ok=True)


def progress(kind, training):
    """Return the progress hooks of `kind` ("auto", "bar", "lines" or "off"): a bar on a terminal, else lines; on rank 0."""
    if kind == "auto":
        kind = "bar" if sys.stderr.isatty() else "lines"
    shown = {"bar": [Bar], "lines": [Lines], "off": []}[kind] if training.comm.rank == 0 else []
    return [make(training) for make in shown]


def _losses(statistics):
    return "  ".join(f"{player} {values['loss']:.4f}" for player, values in statistics.items())
