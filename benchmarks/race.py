"""Benchmark processes that take turns, for engine.py, layers.py, streaming.py and yardstick.py. Needs neither
hpcgen nor torch.

A racer first prints a description of itself as JSON. For each line "N" on stdin it runs N times and prints
the mean seconds of a run (a list with one number for each part of a run). At the end of stdin it prints its
peak memory in MiB.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile


def race(run, about):
    """Run as a racer. run(count) does `count` repetitions and returns the total seconds of each part."""
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        print(json.dumps([seconds / int(line) for seconds in run(int(line))]), flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def environment(keep_kernel):
    """Return the environment of a racer: one thread, and OPENBLAS_CORETYPE only if `keep_kernel`."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        name: value for name, value in os.environ.items() if keep_kernel or name != "OPENBLAS_CORETYPE"
    } | one


class Racer:
    """A process that runs `race` in turns of about `seconds`. `times` has a list of seconds for each turn."""

    def __init__(self, command, environment, seconds):
        self._errors = tempfile.TemporaryFile("w+")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors}
        try:
            self._process = subprocess.Popen(
                list(map(str, command)), text=True, bufsize=1, env=environment, **pipes
            )
        except OSError as error:
            sys.exit(f"{command[0]}: {error.strerror}")
        self.about = json.loads(self._line())
        self._count = max(1, round(seconds / min(sum(self._ask(1)) for _ in range(3))))
        self.times = []

    def _line(self):
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError((self._errors.read().strip().splitlines() or ["no message"])[-1])
        return line

    def _ask(self, count):
        print(count, file=self._process.stdin)
        return json.loads(self._line())

    def turn(self):
        self.times.append(self._ask(self._count))

    def end(self):
        """End the process, and return its peak memory in MiB."""
        self._process.stdin.close()
        peak = float(self._line())
        self._process.wait()
        return peak
