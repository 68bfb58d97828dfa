"""Processes that take turns: what engine.py, layers.py and yardstick.py share. Needs no hpcgen and no torch.

A racer prints what it is as JSON, answers each line "N" on stdin with the mean seconds of N turns (a list: of
each part of a turn), and the end of stdin with its peak memory in MiB.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile


def race(run, about):
    """Be a racer: run(count) takes so many turns and returns the seconds of each part of a turn, summed over
    the turns."""
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
    """A process that runs `race`; `times` has a list of seconds for each turn of about `seconds`."""

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
        """End the process; return its peak memory in MiB."""
        self._process.stdin.close()
        peak = float(self._line())
        self._process.wait()
        return peak
