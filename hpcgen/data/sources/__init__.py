"""What `hpcgen prepare` reads, one format a file."""

from pathlib import Path

import numpy as np


class Source:
    """Rows of a format, which the ranks divide among them.

    A source has `rows`, the `shape` of a sample and its `dtype` (uint8, float32; uint16 for large vocabularies), `kind` (see
    `Schema`), `name`, the `columns` of its rows, `range` (the interval that samples lie in; None: their extremes), and what
    goes into the file besides: `attributes` and `constants`, arrays by name. It raises InputError where its files are not what
    they should be.
    """

    dtype, columns, range, attributes, constants = np.uint8, ("samples",), None, {}, {}

    def survey(self, comm):
        """Find out, each rank a part, what only reading all files tells: `rows`, a vocabulary. Collective over `comm`."""

    def read(self, start, stop):
        """Return the `Rows` [start, stop); fewer where the user allowed to leave out bad ones."""
        raise NotImplementedError


def names_of(paths):
    """Return the names of files as one, for messages and the attribute `source`; of many the first three and how many more."""
    names = [Path(path).name for path in paths]
    return ", ".join(names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"])
