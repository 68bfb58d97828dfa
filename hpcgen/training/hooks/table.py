"""The file metrics.csv: one row for each step with statistics or measures."""

import csv
import io
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from os import fsync
from pathlib import Path
from typing import Any

from hpcgen.files.replacing import refusals, replace_text

Row = Mapping[str, Any]


class MetricsTable:
    """The file metrics.csv of a run. One process keeps it open and writes it.

    A run that resumes after `step` steps keeps the rows up to this step and drops later rows. The columns are
    "step", the given columns, and other columns that the file already has. Raises WriteError if the disk
    refuses.
    """

    def __init__(self, path: Path, columns: Sequence[str], step: int) -> None:
        self._path = path
        with refusals(path):
            known, rows = self._rows_until(step)
            self._columns = list(dict.fromkeys(["step", *columns, *known]))
            head = io.StringIO(newline="")
            csv.writer(head, lineterminator="\n").writerow(self._columns)
            # The rows that can still change: from the first expected one on, or the last row alone.
            self._tail: list[dict[str, Any]] = [dict(row) for row in rows[-1:]]
            self._expected: set[int] = set()
            self._replace("".join([head.getvalue(), *map(self._text, rows[:-1])]))

    def _rows_until(self, step: int) -> tuple[list[str], list[dict[str, str]]]:
        """Return the columns, and the complete rows up to `step`.

        A power failure may leave zeros in the file, or an incomplete last line.
        """
        if step == 0 or not self._path.exists():
            return [], []
        text = self._path.read_text(encoding="utf-8", errors="replace")
        whole = io.StringIO(text[: text.rfind("\n") + 1], newline="")
        reader = csv.DictReader((line for line in whole if "\0" not in line), restkey="")
        rows = []
        try:
            for row in reader:
                number = row.get("step") or ""
                if number.isdecimal() and int(number) <= step and "" not in row:
                    rows.append(row)
        except csv.Error:  # Damage that the csv module cannot read: keep the rows before it.
            pass
        return [name for name in reader.fieldnames or [] if name], rows

    def _text(self, row: Row) -> str:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._columns, lineterminator="\n", extrasaction="ignore").writerow(row)
        return text.getvalue()

    def _replace(self, before: str) -> None:
        """Replace the file by one with the text `before` and the rows that can change, and open it."""
        replace_text(self._path, before + "".join(map(self._text, self._tail)))
        self._file = open(self._path, "ab")  # noqa: SIM115 (closed in close)
        # The position of the first row that can change, in bytes.
        self._start = len(before.encode())

    def has(self, step: int, column: str) -> bool:
        """Return whether a row that can change belongs to `step` and has a value in a column."""
        return any(_step(row) == step and row.get(column) not in (None, "") for row in self._tail)

    def expect(self, step: int) -> None:
        """Keep a place for values of `step` that are put later than those of the steps after it."""
        self._expected.add(step)

    def put(self, step: int, values: Row) -> None:
        """Write values into the row of `step`: a new one, the last one, or an expected one.

        An existing row is replaced atomically, so that a process that is killed meanwhile loses no data.
        Raises WriteError.
        """
        self._expected.discard(step)
        place = bisect_left(self._tail, step, key=_step)
        with refusals(self._path):
            if place == len(self._tail):
                self._tail.append({"step": step, **values})
                self._file.write(self._text(self._tail[-1]).encode())
                self._file.flush()
            else:
                if _step(self._tail[place]) > step:
                    self._tail.insert(place, {"step": step})
                self._tail[place].update(values)
                self._file.close()
                self._replace(self._path.read_bytes()[: self._start].decode())
        while len(self._tail) > 1 and _step(self._tail[0]) < min(self._expected, default=step):
            self._start += len(self._text(self._tail.pop(0)).encode())

    def sync(self) -> None:
        """Wait until the rows are on the disk. Raises WriteError."""
        with refusals(self._path):
            fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _step(row: Row) -> int:
    return int(row["step"])
