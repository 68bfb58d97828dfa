"""What every source is, and how the names of files are said."""

import pytest

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source, names_of


@pytest.mark.parametrize(
    "paths, names",
    [
        (["d/a.txt"], "a.txt"),
        ([f"d/{i}.txt" for i in range(4)], "0.txt, 1.txt, 2.txt, 3.txt"),
        ([f"d/{i}.txt" for i in range(5)], "0.txt, 1.txt, 2.txt, 2 more"),
        ([f"d/{i}.txt" for i in range(900)], "0.txt, 1.txt, 2.txt, 897 more"),
    ],
)
def test_of_many_files_a_few_are_named(paths, names):
    assert names_of(paths) == names


def test_a_source_must_read_and_may_leave_all_else(comm):
    with pytest.raises(TypeError, match="abstract"):
        Source()

    class Nothing(Source):
        def read(self, start, stop):
            return Rows([])

    source = Nothing()
    source.survey(comm)
    assert (source.columns, source.range, source.attributes, source.left_out) == (("samples",), None, {}, ())
