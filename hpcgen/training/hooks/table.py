"""metrics.csv: one row for each step that has something to say."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpcgen.files.replacing import refusals, replace_text

Row = Mapping[str, Any]


class MetricsTable:
    """The file metrics.csv of a run, held open by the one process that writes it.

    A run that resumes after `step` steps keeps the rows up to this step and drops the others. The columns are
    "step", those given, and those that the file has already. Raises WriteError if the disk refuses.
    """

    def __init__(self, path: Path, columns: Sequence[str], step: int) -> None:
        self._path = path
        with refusals(path):
            known, rows = self._rows_until(step)
            self._columns = list(dict.fromkeys(["step", *columns, *known]))
            head = io.StringIO(newline="")
            csv.writer(head, lineterminator="\n").writerow(self._columns)
            lines = [head.getvalue(), *map(self._text, rows)]
            replace_text(path, "".join(lines))
            self._file = open(path, "r+", encoding="utf-8", newline="")  # noqa: SIM115 (closed in close)
            self._end = self._file.seek(0, os.SEEK_END)
        self._last: dict[str, Any] = dict(rows[-1]) if rows else {}
        # Where the last row starts.
        self._start = self._end - len(lines[-1].encode())

    def _rows_until(self, step: int) -> tuple[list[str], list[dict[str, str]]]:
        """Return the columns and the whole rows of the file up to `step`."""
        if step == 0 or not self._path.exists():
            return [], []
        with open(self._path, encoding="utf-8", errors="replace", newline="") as file:
            reader = csv.DictReader((line for line in file if "\0" not in line), restkey="")
            rows = [
                row
                for row in reader
                if (row.get("step") or "").isdecimal() and int(row["step"]) <= step and "" not in row
            ]
            return [name for name in reader.fieldnames or [] if name], rows

    def _text(self, row: Row) -> str:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._columns, lineterminator="\n", extrasaction="ignore").writerow(row)
        return text.getvalue()

    def has(self, step: int, column: str) -> bool:
        """Return whether the last row is that of `step` and has a value in a column."""
        return str(self._last.get("step")) == str(step) and self._last.get(column) not in (None, "")

    def put(self, step: int, values: Row) -> None:
        """Write values into the row of `step`: the last row, or a new one."""
        same = str(self._last.get("step")) == str(step)
        self._last = {**(self._last if same else {}), "step": step, **values}
        if not same:
            self._start = self._end
        with refusals(self._path):
            self._file.seek(self._start)
            self._file.truncate()
            self._file.write(self._text(self._last))
            self._file.flush()
            self._end = self._file.tell()

    def sync(self) -> None:
        """Wait until the rows are on the disk."""
        with refusals(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
