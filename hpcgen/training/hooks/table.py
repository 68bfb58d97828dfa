"""The file metrics.csv: one row for each step with statistics or measures."""

import csv
import io
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
            *lines, last = [head.getvalue(), *map(self._text, rows)]
            self._last: dict[str, Any] = dict(rows[-1]) if rows else {}
            self._replace("".join(lines), last)

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

    def _replace(self, before: str, last: str) -> None:
        """Replace the file by one with the text `before` and the row `last`, and open it."""
        replace_text(self._path, before + last)
        self._file = open(self._path, "ab")  # noqa: SIM115 (closed in close)
        # The position of the last row, in bytes.
        self._start = len(before.encode())

    def has(self, step: int, column: str) -> bool:
        """Return whether the last row belongs to `step` and has a value in a column."""
        return self._is_last(step) and self._last.get(column) not in (None, "")

    def _is_last(self, step: int) -> bool:
        return str(self._last.get("step")) == str(step)

    def put(self, step: int, values: Row) -> None:
        """Write values into the row of `step`, which is the last row or a new one. Raises WriteError.

        The last row is replaced atomically, so that a process that is killed meanwhile loses no data.
        """
        with refusals(self._path):
            if self._is_last(step):
                self._last = {**self._last, **values}
                self._file.close()
                before = self._path.read_bytes()[: self._start]
                self._replace(before.decode(), self._text(self._last))
            else:
                self._last = {"step": step, **values}
                self._start = self._file.tell()
                self._file.write(self._text(self._last).encode())
                self._file.flush()

    def sync(self) -> None:
        """Wait until the rows are on the disk. Raises WriteError."""
        with refusals(self._path):
            fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
