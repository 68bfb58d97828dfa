"""Compile the loops of the kernels: python -m hpcgen.nn.kernels.build. jobs/setup.sh runs it.

It needs a C compiler (CC, else cc) and Python's headers. If the module `_loops` does not exist, or was built
from other sources, hpcgen computes the same bits with NumPy, more slowly.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

from hpcgen.nn.kernels.sources import definitions, fingerprint

HERE = Path(__file__).parent
FLAGS = [
    "-O3",
    "-fPIC",
    "-shared",
    "-fno-fast-math",
    # A fused multiply-add rounds once, but NumPy rounds twice.
    "-ffp-contract=off",
    # Without errno, a square root is a single instruction.
    "-fno-math-errno",
    "-fno-trapping-math",
]


def build() -> Path:
    """Compile `_loops` into the folder of this file, and return its path.

    Raises RuntimeError with the compiler's message, or if the compiled loops round differently from NumPy.
    """
    target = HERE / f"_loops{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = [f"-I{sysconfig.get_path('include')}", f"-I{np.get_include()}"]
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        made = Path(folder, target.name)
        compiler = shlex.split(os.environ.get("CC", "cc"))
        define = [f'-DSOURCE="{fingerprint()}"', *definitions()]
        command = [*compiler, *FLAGS, *define, *include, str(HERE / "loops.c"), "-o", str(made), "-lm"]
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
            f"{shlex.join(command)}\nthe bits of the loops differ from NumPy's; set CC to another compiler\n"
            f"{checked.stderr}"
        )
    return target


if __name__ == "__main__":
    try:
        print(build())
    except (RuntimeError, OSError) as error:
        sys.exit(f"hpcgen.nn.kernels.build: {error}")
