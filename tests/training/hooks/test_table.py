"""metrics.csv: rows are added, changed, and dropped by a run that resumes."""

import os
import sys

import pytest

from hpcgen.errors import WriteError
from hpcgen.training.hooks.table import MetricsTable


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.csv"


def test_rows_are_appended_and_the_last_is_amended(path):
    table = MetricsTable(path, ["a", "b"], 0)
    table.put(1, {"a": 0.5})
    table.put(2, {"a": 1.5})
    assert table.has(2, "a") and not table.has(2, "b") and not table.has(1, "a")
    table.put(2, {"b": "x, y"})
    table.put(3, {"a": 2.5})
    table.sync()
    table.close()
    assert path.read_text() == 'step,a,b\n1,0.5,\n2,1.5,"x, y"\n3,2.5,\n'


def test_a_run_that_resumes_drops_what_came_later(path):
    path.write_text("step,a\n1,0.5\n2,1.5\n3,2.5\n")
    table = MetricsTable(path, ["a", "b"], 2)
    assert table.has(2, "a") and not table.has(2, "b")
    table.put(2, {"b": 7})
    table.put(4, {"a": 3.5})
    table.close()
    assert path.read_text() == "step,a,b\n1,0.5,\n2,1.5,7\n4,3.5,\n"


def test_columns_of_the_past_stay(path):
    path.write_text("step,a,old\n1,0.5,x\n")
    table = MetricsTable(path, ["a"], 1)
    table.put(2, {"a": 1})
    table.close()
    assert path.read_text() == "step,a,old\n1,0.5,x\n2,1,\n"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "step,a\n1,0.5\n2,1",
        "step,a\n1,0.5\n\0\0\0\0",
        "step,a\n1,0.5\nx,1\n",
        'step,a\n1,0.5\n2,"' + "x" * 200_000 + "\n",
    ],
)
def test_what_a_power_cut_left_is_no_obstacle(path, content):
    path.write_text(content)
    table = MetricsTable(path, ["a"], 5)
    table.put(6, {"a": 1})
    table.close()
    lines = path.read_text().splitlines()
    assert lines[0] == "step,a" and lines[-1] == "6,1" and all(line.count(",") == 1 for line in lines)


def test_a_last_line_without_its_end_is_dropped(path):
    """Its number may lack digits."""
    path.write_text("step,a\n1,0.5\n2,1")
    table = MetricsTable(path, ["a"], 5)
    table.close()
    assert path.read_text() == "step,a\n1,0.5\n" and not table.has(2, "a")


def test_a_kill_while_the_last_row_is_amended_loses_nothing(path):
    """The file is looked at before each line of code that runs meanwhile.

    The row is older than the checkpoint from which the next run goes on: nobody writes its statistics again.
    """
    table = MetricsTable(path, ["a", "b"], 0)
    table.put(1, {"a": 0.5})
    before, seen = path.read_bytes(), set()

    def trace(frame, event, argument):
        sys.settrace(None)
        seen.add(path.read_bytes())
        sys.settrace(trace)
        return trace

    tracer = sys.gettrace()
    sys.settrace(trace)
    try:
        table.put(1, {"b": 7})
    finally:
        sys.settrace(tracer)
    table.close()
    after = path.read_bytes()
    assert after == b"step,a,b\n1,0.5,7\n" and seen == {before, after}


def test_what_the_disk_refuses_leaves_the_row_that_was_there(path, monkeypatch):
    table = MetricsTable(path, ["a", "b"], 0)
    table.put(1, {"a": 0.5})

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WriteError, match="the disk refused metrics.csv: No space left"):
        table.put(1, {"b": 7})
    assert os.listdir(path.parent) == ["metrics.csv"]
    assert path.read_text() == "step,a,b\n1,0.5,\n"


def test_rows_in_any_alphabet_are_amended(path):
    table = MetricsTable(path, ["a", "über"], 0)
    for step in (1, 2):
        table.put(step, {"a": "größer"})
        table.put(step, {"über": "é"})
    table.put(3, {"a": 0})
    table.close()
    text = path.read_text(encoding="utf-8")
    assert text == "step,a,über\n1,größer,é\n2,größer,é\n3,0,\n"


def test_a_run_from_the_start_begins_anew(path):
    path.write_text("step,a\n1,0.5\n")
    MetricsTable(path, ["a"], 0).close()
    assert path.read_text() == "step,a\n"


def test_expected_values_arrive_late(path):
    """Whether their step has a row or not, and whatever the other rows are."""
    table = MetricsTable(path, ["a", "b"], 0)
    table.put(2, {"a": 0.5})
    table.expect(2)
    table.expect(3)
    for step in (4, 6, 8):
        table.put(step, {"a": step})
    table.expect(8)
    table.put(3, {"b": "three"})
    table.put(2, {"b": "two"})
    table.put(10, {"a": 10})
    table.put(8, {"b": "eight"})
    table.put(12, {"a": 12})
    assert table.has(12, "a")
    table.close()
    assert path.read_text() == "step,a,b\n2,0.5,two\n3,,three\n4,4,\n6,6,\n8,8,eight\n10,10,\n12,12,\n"
