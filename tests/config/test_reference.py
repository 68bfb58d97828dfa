"""The reference names every key of the run file, and says what it means."""

import pytest

from hpcgen.config.reference import markdown, tables

TABLES = dict(tables())


def test_titles_are_different():
    assert len(TABLES) == len(list(tables()))


@pytest.mark.parametrize("title", [title for title in TABLES if "optimizer" not in title])
def test_every_key_has_its_help(title):
    assert all(key.help and key.allowed for key in TABLES[title])


def test_a_few_rows():
    text = markdown()
    assert "| `path` | must be given | string, or a list | a data file" in text
    assert '| `exchange` | `"exact"` | exact, allreduce |' in text
    assert "| gan | `mlpgan` |" in text and "`generator.hidden = [256, 512]`" in text
