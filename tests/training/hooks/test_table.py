"""metrics.csv as rows come, are amended, and are dropped by a run that resumes."""

import pytest

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
    "content", ["", "step,a\n1,0.5\n2,1", "step,a\n1,0.5\n\0\0\0\0", "step,a\n1,0.5\nx,1\n"]
)
def test_what_a_power_cut_left_is_no_obstacle(path, content):
    path.write_text(content)
    table = MetricsTable(path, ["a"], 5)
    table.put(6, {"a": 1})
    table.close()
    lines = path.read_text().splitlines()
    assert lines[0] == "step,a" and lines[-1] == "6,1" and all(line.count(",") == 1 for line in lines)


def test_a_run_from_the_start_begins_anew(path):
    path.write_text("step,a\n1,0.5\n")
    MetricsTable(path, ["a"], 0).close()
    assert path.read_text() == "step,a\n"
