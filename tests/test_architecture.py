"""The house's floors: who may import whom (imports run downward only)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hpcgen

ROOT = Path(hpcgen.__file__).parent
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
# From the top floor down; a file may import from its own room and from those below.
FLOORS = [
    ("__main__.py",),
    ("cli.py",),
    ("commands/",),
    ("training/",),
    ("evaluation/",),
    ("sampling/",),
    ("checkpoints/",),
    ("config/",),
    ("models/",),
    ("data/",),
    ("files/",),
    ("parallel/", "nn/", "metrics/", "runtime.py", "streams.py"),
    ("settings.py", "errors.py", "__init__.py"),
]
FORBIDDEN = {
    "nn/": {"mpi4py", "h5py"},
    "metrics/": {"mpi4py", "h5py"},
    "models/": {"mpi4py", "h5py"},
    "parallel/": {"h5py"},
    "__init__.py": {"mpi4py", "h5py"},
}


def imports(path, top_level_only=False):
    tree = ast.parse((ROOT / path).read_text())
    for node in ast.iter_child_nodes(tree) if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_path(name):
    parts = name.split(".")[1:]
    for end in range(len(parts), -1, -1):
        for path in (
            Path(*parts[:end]).with_suffix(".py") if end else None,
            Path(*parts[:end]) / "__init__.py",
        ):
            if path is not None and (ROOT / path).exists():
                return path.as_posix()
    raise AssertionError(name)


def floor(path):
    matches = [
        (len(prefix), number)
        for number, names in enumerate(FLOORS)
        for prefix in names
        if path.startswith(prefix)
    ]
    return max(matches)[1]


@pytest.mark.parametrize("path", MODULES)
def test_imports_run_downward(path):
    for name in imports(path, top_level_only=True):
        if name.split(".")[0] == "hpcgen":
            target = module_path(name)
            assert floor(path) <= floor(target), f"{path} imports {target}, which lies above it"


@pytest.mark.parametrize("path", MODULES)
def test_pure_maths_stays_pure(path):
    for prefix, names in FORBIDDEN.items():
        if path.startswith(prefix):
            assert not names & {name.split(".")[0] for name in imports(path, top_level_only=True)}


def test_loading_a_checkpoint_imports_no_mpi():
    """hpcgen.load works where there is an h5py and no mpi4py."""
    reached, waiting = set(), ["checkpoints/loading.py"]
    while waiting:
        path = waiting.pop()
        reached.add(path)
        names = list(imports(path, top_level_only=True))
        assert "mpi4py" not in {name.split(".")[0] for name in names}, path
        waiting += {module_path(name) for name in names if name.split(".")[0] == "hpcgen"} - reached


@pytest.mark.parametrize("path", MODULES)
def test_only_the_command_line_names_the_world(path):
    assert path == "cli.py" or "COMM_WORLD" not in (ROOT / path).read_text().replace("names COMM_WORLD", "")


def test_importing_hpcgen_loads_nothing_heavy(comm):
    if comm.size > 1:
        return  # one process of its own says it all, and MPI processes do not fork
    code = "import sys, hpcgen; sys.exit(bool({'numpy', 'h5py', 'mpi4py'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0
