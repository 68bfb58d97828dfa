"""Compilers that cannot be used change nothing."""

import sys

import pytest

from hpcgen.nn.kernels import build


def test_a_compiler_that_fails_is_quoted(monkeypatch):
    before = [(path, path.stat().st_mtime) for path in build.HERE.iterdir()]
    monkeypatch.setenv("CC", "no-such-compiler --with arguments")
    with pytest.raises(RuntimeError, match="no-such-compiler: No such file or directory; set CC"):
        build.build()
    monkeypatch.setenv("CC", f"{sys.executable} -c 'raise SystemExit(\"out of paper\")'")
    with pytest.raises(RuntimeError, match="out of paper"):
        build.build()
    assert before == [(path, path.stat().st_mtime) for path in build.HERE.iterdir()]
