"""Compile the kernels' loops: python -m hpcgen.nn.kernels.build, which jobs/setup.sh runs.

Needs a C compiler (CC, else cc) and Python's headers. Without the module `_loops`, or with one of other
sources than these, hpcgen computes the same bits in NumPy, slower.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

from hpcgen.nn.kernels.sources import fingerprint

HERE = Path(__file__).parent
# No contraction: a fused multiply-add rounds once where NumPy rounds twice. No errno: square roots then are
# instructions.
FLAGS = [
    "-O3",
    "-fPIC",
    "-shared",
    "-fno-fast-math",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
]


def build():
    """Compile `_loops` beside this file and return its path.

    Raises RuntimeError with the compiler's message, or if what it made rounds otherwise than NumPy.
    """
    target = HERE / f"_loops{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = [f"-I{sysconfig.get_path('include')}", f"-I{np.get_include()}"]
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        made = Path(folder, target.name)
        compiler = shlex.split(os.environ.get("CC", "cc"))
        define = f'-DSOURCE="{fingerprint()}"'
        command = [*compiler, *FLAGS, define, *include, str(HERE / "loops.c"), "-o", str(made), "-lm"]
        try:
            ended = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            raise RuntimeError(f"{compiler[0]}: {error.strerror}; set CC to a C compiler") from None
        if ended.returncode:
            raise RuntimeError(f"{shlex.join(command)}\n{ended.stderr}")
        made.replace(target)
    checked = subprocess.run(
        [sys.executable, "-m", f"{__package__}.verification"], capture_output=True, text=True
    )
    if checked.returncode:
        target.unlink()
        raise RuntimeError(
            f"{shlex.join(command)}\nmade unfit loops; set CC to another compiler\n{checked.stderr}"
        )
    return target


if __name__ == "__main__":
    try:
        print(build())
    except (RuntimeError, OSError) as error:
        sys.exit(f"hpcgen.nn.kernels.build: {error}")
