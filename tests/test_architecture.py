"""Walls of the house: who may import whom, which rooms know no process and no file, and where tests lie."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import hpcgen

ROOT, TESTS = Path(hpcgen.__file__).parent, Path(__file__).parent
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
# The layers of the code, from top to bottom. A file may import from its own folder and from layers below it.
FLOORS = [
    ("__main__.py",),
    ("cli.py",),
    ("commands",),
    ("training",),
    ("evaluation",),
    ("sampling",),
    ("checkpoints",),
    ("config",),
    ("models",),
    ("data",),
    ("files",),
    ("runtime.py",),
    ("parallel",),
    ("nn", "metrics", "streams.py"),
    ("arrays.py", "settings.py", "errors.py", "__init__.py"),
]
# What no file of a room imports, not even in a function.
FORBIDDEN = {
    "nn": {"mpi4py", "h5py"},
    "metrics": {"mpi4py", "h5py"},
    "models": {"mpi4py", "h5py"},
    "parallel": {"h5py"},
    "arrays.py": {"mpi4py", "h5py"},
}
# Tests that mirror no file, and why.
ACROSS = {
    "test_architecture.py": "all files: what they import, and that they have tests",
    "models/test_torch.py": "all models, beside PyTorch, which not every interpreter has",
    "nn/test_torch.py": "all layers and optimizers, beside PyTorch",
    "training/test_bits.py": "all networks and optimizers: the bits of one rank at any number of ranks",
    "training/test_cells.py": "runs on divided samples: the bits of one rank, the numbers of whole samples",
    "commands/test_choices.py": "choices that stand in two places: they agree",
    "docs/test_pages.py": "the documentation",
}
# Rooms of tests that start jobs of their own. They mirror no room.
JOBS = ("launched", "slurm")


def room(path):
    return path.split("/")[0]


def floor(path):
    (number,) = [number for number, rooms in enumerate(FLOORS) if room(path) in rooms]
    return number


def imports(path, everywhere=True):
    """Yield the modules that a file imports; with everywhere = False only those that are loaded with it."""
    tree = ast.parse((ROOT / path).read_text())
    for node in ast.walk(tree) if everywhere else ast.iter_child_nodes(tree):
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


def own(path, **where):
    """Return the files of hpcgen that a file imports."""
    names = {name for name in imports(path, **where) if name.split(".")[0] == "hpcgen"}
    return {module_path(name) for name in names - {"hpcgen.nn.kernels._loops"}}


def outside(path, **where):
    """Return the packages outside hpcgen that a file imports."""
    return {name.split(".")[0] for name in imports(path, **where)} - {"hpcgen"}


@pytest.mark.parametrize("path", MODULES)
def test_imports_run_downward(path):
    for target in own(path):
        assert floor(path) <= floor(target), f"{path} imports {target}, which lies above it"
        same_room = room(path) == room(target)
        assert same_room or floor(path) < floor(target), f"{path} imports {target}, on the same floor"


def test_no_imports_run_in_a_circle():
    TopologicalSorter({path: own(path) - {path} for path in MODULES}).prepare()


def test_the_house_has_few_rooms():
    assert len({room(path) for path in MODULES}) < 22


@pytest.mark.parametrize("path", MODULES)
def test_pure_maths_stays_pure(path):
    assert not FORBIDDEN.get(room(path), set()) & outside(path)


def test_loading_a_checkpoint_imports_no_mpi():
    """hpcgen.load works where there is an h5py and no mpi4py."""
    reached, waiting = set(), [module_path("hpcgen.checkpoints.loading")]
    while waiting:
        path = waiting.pop()
        reached.add(path)
        assert "mpi4py" not in outside(path, everywhere=False), path
        waiting += own(path, everywhere=False) - reached


@pytest.mark.parametrize("path", MODULES)
def test_only_the_command_line_names_the_world(path):
    assert path == "cli.py" or "COMM_WORLD" not in (ROOT / path).read_text()


def has_code(path):
    """Return whether a file has functions, methods or lambdas."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return any(isinstance(node, kinds) for node in ast.walk(ast.parse((ROOT / path).read_text())))


def mirror(path):
    """Return where a file is tested: FILE.py by test_FILE.py, the __init__.py of ROOM by test_ROOM.py."""
    file = Path("hpcgen", path)
    name = file.parent.name if file.stem == "__init__" else file.stem
    return (file.relative_to("hpcgen").parent / f"test_{name}.py").as_posix()


CODE = [path for path in MODULES if has_code(path)]


@pytest.mark.parametrize("path", CODE)
def test_each_file_has_its_tests(path):
    tests = TESTS / mirror(path)
    assert tests.is_file(), f"hpcgen/{path} has no tests/{mirror(path)}"
    assert re.search(r"^ *def test_", tests.read_text(), re.M), f"tests/{mirror(path)} tests nothing"


def test_each_test_file_mirrors_a_file_or_says_why_not():
    assert len({mirror(path) for path in CODE}) == len(CODE)
    files = {path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    found = {path.as_posix() for path in files if path.parts[0] not in JOBS}
    assert found == {mirror(path) for path in CODE} | set(ACROSS)
