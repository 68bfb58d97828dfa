"""Compare the kernels in C with those in NumPy, bit for bit, and the adjoints in NumPy with their
definition."""

import inspect
import os
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hpcgen.nn import kernels as package
from hpcgen.nn.kernels import build, kernels, plain, verification

NAMES = [name for name in plain.__all__ if name != "NAME"]
ADJOINTS = [
    ("unfold", "fold"),
    *((f"winograd_{x}", f"winograd_{x}_adjoint") for x in ("data", "output", "weight")),
]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])

ROWS = st.sampled_from([1, 2, 3, 9, 100, 255, 256, 257, 511, 512, 513, 900])
CHANNELS = st.one_of(st.integers(1, 9), st.sampled_from([16, 31, 64, 65]))
SLOPES = st.sampled_from([1.0, 0.0, 0.2, 0.01])
SAMPLES = st.integers(1, 3)
# Around the end of a block of plain's, too.
LENGTHS = st.one_of(
    st.integers(0, 40), st.sampled_from([1003, (1 << 14) - 1, 1 << 14, (1 << 14) + 1, (1 << 15) + 3])
)
SHARES = st.floats(0.01, 0.99)


@pytest.fixture(scope="module")
def compiled():
    try:
        return import_module("hpcgen.nn.kernels.compiled")
    except ImportError as error:
        pytest.fail(f"the kernels are not compiled ({error}): run python -m hpcgen.nn.kernels.build")


class Drawn:
    """Arguments for each kernel, drawn: `Drawn(...).NAME()`."""

    def __init__(self, draw, random, windows, dtype):
        self.draw, self.random, self.windows, self.dtype = draw, random, windows, dtype

    def numbers(self, *shape):
        """Normal numbers, of which some, or all, are zeros, of either sign, and some too small for full
        precision."""
        x = self.random.standard_normal(shape).astype(self.dtype)
        chosen = self.random.random(shape)
        x[chosen < self.random.choice([0, 0.3, 1])] = self.random.choice([0.0, -0.0])
        x[chosen > 0.95] *= np.finfo(self.dtype).tiny
        return x

    def matrix(self):
        return self.numbers(self.draw(ROWS), self.draw(CHANNELS))

    def rows(self, like, count):
        return [self.numbers(like.shape[1]) for _ in range(count)]

    def outer(self):
        out = self.matrix()
        return self.numbers(len(out), 1), self.numbers(out.shape[1], 1), out

    def rectify(self):
        y = self.matrix()
        return y, self.draw(st.sampled_from([None, *self.rows(y, 1)])), self.draw(SLOPES)

    def rectify_gradient(self):
        shape = self.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
        return self.numbers(*shape), self.numbers(*shape), self.draw(SLOPES)

    def scale_rectify(self):
        x = self.matrix()
        return x, *self.rows(x, 2), self.draw(SLOPES), np.empty_like(x)

    def column_sums(self):
        return (self.matrix(),)

    def column_squares(self):
        x = self.matrix()
        return x, *self.rows(x, 1)

    def column_products(self):
        dy = self.matrix()
        return dy, self.numbers(*dy.shape), *self.rows(dy, 1)

    def combine(self):
        dy = self.matrix()
        return dy, self.numbers(*dy.shape), *self.rows(dy, 3)

    def _windows(self):
        geometry, sizes = self.draw(self.windows())
        n, channels = self.draw(SAMPLES), self.draw(st.integers(1, 9))
        x = self.numbers(n, *sizes, channels)
        return (
            x,
            self.numbers(n, *geometry.positions(sizes), *geometry.kernel, channels),
            geometry.stride,
            geometry.padding,
        )

    def unfold(self):
        return self._windows()

    def fold(self):
        x, patches, *geometry = self._windows()
        return patches, x, *geometry

    def _sizes(self, smallest):
        spatial = self.draw(st.integers(1, 3))
        return [self.draw(st.integers(smallest, 9)) for _ in range(spatial)]

    def _grid(self, positions):
        """Return the axes of the products of a size of tile, and the tiles."""
        tile = self.draw(st.sampled_from([2, 4]))
        return (tile + 1,) * len(positions), [-(-count // tile) for count in positions]

    def winograd_data(self):
        positions = self._sizes(smallest=1)
        spatial, n, channels = len(positions), self.draw(SAMPLES), self.draw(CHANNELS)
        padding = [self.draw(st.integers(0, 1)) for _ in positions]
        # With padding a place may be left over after the last window.
        sizes = [
            2 * count + 2 - 2 * p + p * self.draw(st.integers(0, 1))
            for count, p in zip(positions, padding, strict=True)
        ]
        grid, tiles = self._grid(positions)
        x, cells = self.numbers(n, *sizes, channels), (*grid, n, *tiles, *(2,) * spatial, channels)
        return x, self.numbers(*cells), padding

    def winograd_output(self):
        positions, n, outputs = self._sizes(smallest=1), self.draw(SAMPLES), self.draw(CHANNELS)
        grid, tiles = self._grid(positions)
        return self.numbers(n, *positions, outputs), self.numbers(*grid, n, *tiles, outputs)

    def winograd_weight(self):
        spatial, shape = self.draw(st.integers(1, 3)), (self.draw(CHANNELS), self.draw(CHANNELS))
        return self.numbers(*(4,) * spatial, *shape), self.numbers(
            *(self.draw(st.sampled_from([3, 5])),) * spatial, *(2,) * spatial, *shape
        )

    def winograd_data_adjoint(self):
        x, cells, padding = self.winograd_data()
        return cells, x, padding

    def winograd_output_adjoint(self):
        return self.winograd_output()[::-1]

    def winograd_weight_adjoint(self):
        return self.winograd_weight()[::-1]

    def _vectors(self, count):
        n = self.draw(LENGTHS)
        return [self.numbers(n) for _ in range(count)]

    def _shares(self, count):
        return [self.draw(SHARES) for _ in range(count)]

    def descend(self):
        return *self._vectors(2), self.draw(SHARES)

    def momentum(self):
        return *self._vectors(3), *self._shares(5)

    def adam(self):
        theta, grad, m, v = self._vectors(4)
        return theta, grad, m, np.abs(v), *self._shares(7)

    adam_direction = adam

    def rmsprop(self):
        theta, grad, square = self._vectors(3)
        return theta, grad, np.abs(square), *self._shares(4)

    def approach(self):
        return *self._vectors(2), self.draw(SHARES)


def run(module, name, arguments, garbage):
    """Return the arrays that a kernel leaves and returns; `out` holds `garbage` before."""
    bound = inspect.signature(getattr(plain, name)).bind(*arguments).arguments
    bound = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in bound.items()}
    if "out" in bound:
        bound["out"][...] = garbage
    returned = getattr(module, name)(*bound.values())
    if not isinstance(returned, tuple):
        returned = (returned,)
    return [value for value in (*bound.values(), *returned) if isinstance(value, np.ndarray)]


def test_every_kernel_is_compiled_and_drawn(compiled):
    assert all(inspect.isfunction(getattr(plain, name)) for name in NAMES) and len(NAMES) == 22
    assert [name for name in NAMES if not hasattr(compiled, name)] == []
    assert [name for name in NAMES if not hasattr(Drawn, name)] == []


@DTYPES
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(data=st.data(), random=...)
def test_compiled_kernels_give_the_same_bits(
    compiled, windows, name, dtype, data, random: np.random.Generator
):
    arguments = getattr(Drawn(data.draw, random, windows, dtype), name)()
    expected = run(plain, name, arguments, garbage=np.nan)
    actual = run(compiled, name, arguments, garbage=7)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        assert a.dtype == b.dtype == dtype and a.shape == b.shape
        assert a.tobytes() == b.tobytes(), f"largest difference {np.abs(a - b).max()}"


@pytest.mark.parametrize("name, adjoint", ADJOINTS)
@settings(max_examples=60)
@given(data=st.data(), random=...)
def test_adjoints(windows, name, adjoint, data, random: np.random.Generator):
    """<A x, v> = <x, A* v>."""
    x, v, *geometry = getattr(Drawn(data.draw, random, windows, np.float64), name)()
    forth, back = np.full_like(v, np.nan), np.full_like(x, np.nan)
    getattr(plain, name)(x, forth, *geometry)
    getattr(plain, adjoint)(v, back, *geometry)
    assert np.vdot(forth, v) == pytest.approx(np.vdot(x, back), rel=1e-12, abs=1e-10)


@given(data=st.data(), random=...)
def test_unfold_is_its_definition(windows, data, random: np.random.Generator):
    geometry, sizes = data.draw(windows(kernel=3, size=5))
    spatial, stride, padding = len(sizes), geometry.stride, geometry.padding
    x = random.standard_normal((2, *sizes, 2))
    out = np.full((2, *geometry.positions(sizes), *geometry.kernel, 2), np.nan)
    plain.unfold(x, out, stride, padding)
    for n, *place in np.ndindex(out.shape[:-1]):
        at = [i * s + k - p for i, k, s, p in zip(place[:spatial], place[spatial:], stride, padding)]
        inside = all(0 <= a < size for a, size in zip(at, sizes))
        assert out[(n, *place)].tolist() == (x[(n, *at)].tolist() if inside else [0, 0])


class Recorded:
    """Stands for `_loops`: calls it and keeps what it was called with."""

    def __init__(self, loops):
        self.loops, self.calls = loops, []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append((getattr(self.loops, name), arguments))
            return getattr(self.loops, name)(*arguments)

        return call


@DTYPES
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), random=...)
def test_loops_refuse_arrays_that_they_would_misread(
    compiled, windows, name, dtype, data, random: np.random.Generator
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_loops", Recorded(compiled._loops))
        getattr(compiled, name)(*getattr(Drawn(data.draw, random, windows, dtype), name)())
        calls = compiled._loops.calls
    assume(calls)  # some shapes are left to plain
    ((loop, arguments),) = calls
    for i, argument in enumerate(arguments):
        if isinstance(argument, np.ndarray):
            other = np.float32 if dtype == np.float64 else np.float64
            bad = [np.zeros(argument.shape, other), np.zeros(argument.shape, np.int64)]
            if argument.size > 1:
                bad.append(np.zeros((*argument.shape, 2), dtype)[..., 0])
            for array in bad:
                with pytest.raises(TypeError, match="contiguous, all float32 or all float64"):
                    loop(*arguments[:i], array, *arguments[i + 1 :])


@pytest.mark.parametrize("dtype", [np.int32, np.float16, np.longdouble, np.complex64, np.bool_])
def test_loops_refuse_other_types(compiled, dtype):
    with pytest.raises(TypeError, match="all float32 or all float64"):
        compiled._loops.descend(np.ones(3, dtype), np.ones(3, dtype), 3, 0.1)


def test_loops_refuse_wrong_counts(compiled):
    x = np.ones(3, np.float32)
    for arguments in ((), (x, x, 3), (x, x, x, 0.1), (x, 3, 3, 0.1), (x, x, 3, 0.1, 0.1)):
        with pytest.raises(TypeError, match="arguments|arrays"):
            compiled._loops.descend(*arguments)
    with pytest.raises(ValueError, match="-3 is negative"):
        compiled._loops.descend(x, x, -3, 0.1)


def test_loops_refuse_another_order_of_bytes(compiled):
    for bad in (np.ones(3, ">f4"), np.frombuffer(b"x" * 13, np.uint8)[1:].view(np.float32)):
        with pytest.raises(TypeError, match="contiguous"):
            compiled._loops.descend(bad, bad, 3, 0.1)


def test_loops_take_numbers_of_numpy(compiled):
    theta = np.ones(3, np.float32)
    compiled._loops.descend(theta, np.ones(3, np.float32), np.int64(2), np.float64(0.5))
    assert theta.tolist() == [0.5, 0.5, 1]


def test_loops_of_other_sources_are_declined(monkeypatch):
    monkeypatch.setattr("hpcgen.nn.kernels.sources.fingerprint", lambda: "other")
    monkeypatch.delitem(sys.modules, "hpcgen.nn.kernels.compiled", raising=False)
    monkeypatch.delattr(package, "compiled", raising=False)
    assert package._compiled() is None


def test_the_check_after_compiling_reaches_every_kernel(compiled, monkeypatch):
    assert {kernel for kernel, _ in verification.cases(np.random.default_rng(0), np.float32)} == set(NAMES)
    assert verification.differing() == []
    monkeypatch.setattr(compiled, "approach", lambda average, values, share: None)
    assert verification.differing() == ["approach"]


def test_arrays_choose_their_kernels(compiled, monkeypatch):
    monkeypatch.setattr(package, "_modules", {})
    monkeypatch.delenv("HPCGEN_KERNELS", raising=False)

    class Other(np.ndarray):
        pass

    assert kernels(np.zeros(2)) is compiled and package.name() == compiled.NAME
    assert kernels(np.zeros(2).view(Other)) is plain and kernels("anything else") is plain


def test_numpy_serves_where_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(package, "_modules", {})
    monkeypatch.delenv("HPCGEN_KERNELS", raising=False)
    monkeypatch.delattr(package, "compiled", raising=False)
    monkeypatch.setitem(sys.modules, "hpcgen.nn.kernels.compiled", None)
    assert kernels(np.zeros(2)) is plain and package.name() == "numpy"


def test_compiled_kernels_can_be_declined(comm):
    if comm.size > 1:
        return  # one process of its own says it all, and MPI processes do not fork
    code = (
        "import sys, numpy; from hpcgen.nn.kernels import kernels, name, plain;"
        "assert kernels(numpy.zeros(2)) is plain and name() == 'numpy';"
        "assert not [module for module in sys.modules if module.endswith(('compiled', '_loops'))]"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "HPCGEN_KERNELS": "numpy"}, timeout=30
    )
    assert ended.returncode == 0


def test_a_compiler_that_fails_is_quoted(comm, monkeypatch):
    if comm.size > 1:
        return  # MPI processes do not fork
    before = [(path, path.stat().st_mtime) for path in build.HERE.iterdir()]
    monkeypatch.setenv("CC", "no-such-compiler --with arguments")
    with pytest.raises(RuntimeError, match="no-such-compiler: No such file or directory; set CC"):
        build.build()
    monkeypatch.setenv("CC", f"{sys.executable} -c 'raise SystemExit(\"out of paper\")'")
    with pytest.raises(RuntimeError, match="out of paper"):
        build.build()
    assert before == [(path, path.stat().st_mtime) for path in build.HERE.iterdir()]
