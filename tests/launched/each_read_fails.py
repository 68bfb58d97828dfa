"""each_read_fails.py CHECKPOINT DATA: let each read of these files fail, once or always, and count the
outcomes.

failing_reads.c must be preloaded into the process. It prints {what: {how: {outcome: count}}} as JSON.
"""

import ctypes
import json
import sys
from collections import Counter
from pathlib import Path

from mpi4py import MPI

from hpcgen.checkpoints.loading import load
from hpcgen.checkpoints.opening import verify
from hpcgen.data.reading import DataFiles
from hpcgen.files import reading

reading.RETRY_PAUSES = (0.0, 0.0)
LIBRARY = ctypes.CDLL(None)
FOREVER = 1 << 40


def fail(start, stop):
    for name, value in (("failing_from", start), ("failing_to", stop), ("reads", 0)):
        ctypes.c_long.in_dll(LIBRARY, name).value = value


def outcome(function):
    try:
        function()
    except Exception as error:
        return type(error).__name__
    return "whole"


def read_all(path):
    with DataFiles([path]) as data:
        data.read(0, data.rows)


def main(checkpoint, data):
    functions = {
        "verify": lambda: verify(checkpoint, MPI.COMM_SELF),
        "load": lambda: load(checkpoint),
        "data": lambda: read_all(data),
    }
    found = {}
    for what, function in functions.items():
        fail(FOREVER, FOREVER)
        assert outcome(function) == "whole"
        reads = ctypes.c_long.in_dll(LIBRARY, "reads").value
        found[what] = {"once": Counter(), "for good": Counter()}
        for read in range(reads):
            for how, stop in (("once", read + 1), ("for good", FOREVER)):
                fail(read, stop)
                found[what][how][outcome(function)] += 1
    print(json.dumps(found))


main(*map(Path, sys.argv[1:]))
