import os
import time
from types import SimpleNamespace

import numpy as np
import pytest
from stored import ATTRIBUTES

from hpcgen.errors import InputError, RunError, WriteError
from hpcgen.files import replacing
from hpcgen.files.checksums import verify
from hpcgen.files.replacing import refusals, replace_text, require_target, require_unread, temporary_name
from hpcgen.files.slabs import Slab
from hpcgen.files.writing import write


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot write there"):
        require_target(tmp_path / "file" / "x.h5")


def test_only_the_folder_of_a_commands_target_is_made(comm, folder):
    """A run folder that vanished is missed, and not made anew."""
    if comm.rank == 0:
        require_target(folder / "new" / "x.h5")
        assert (folder / "new").is_dir()
    with pytest.raises(InputError, match="gone: cannot write there: No such file"):
        write(folder / "gone" / "x.h5", comm, ATTRIBUTES, {"a": Slab.replicated(np.arange(5.0), comm.rank)})
    with pytest.raises(WriteError, match="gone: the disk refused x.txt: No such file"):
        replace_text(folder / "gone" / "x.txt", "text")
    comm.Barrier()
    assert os.listdir(folder) == ["new"]


def move(folder, remade):
    """Move a run's folder away, and let another run's come in its place."""
    (folder / "run").rename(folder / "moved")
    if remade:
        (folder / "run").mkdir()
        (folder / "run" / "file").write_text("another run's")


@pytest.mark.parametrize("remade", [False, True])
def test_a_folder_that_is_moved_meanwhile_gets_no_file(comm, folder, remade):
    if comm.rank == 0:
        (folder / "run").mkdir()
    comm.Barrier()
    with (
        pytest.raises(RunError, match="run: was moved or removed while a file was written there"),
        replacing.replacing(folder / "run" / "file", comm, 1) as temporary,
    ):
        if comm.rank == 0:
            temporary.write_text("new")
            move(folder, remade)
        comm.Barrier()
    comm.Barrier()
    assert (folder / "run").exists() == remade
    assert not remade or (folder / "run" / "file").read_text() == "another run's"


@pytest.mark.parametrize("remade", [False, True])
def test_a_folder_that_is_moved_meanwhile_gets_no_small_file(tmp_path, remade):
    (tmp_path / "run").mkdir()
    with (
        pytest.raises(RunError, match="run: was moved or removed while a file was written there"),
        replacing.replaced(tmp_path / "run" / "file") as temporary,
    ):
        move(tmp_path, remade)
        if remade:
            temporary.write_text("new")
    assert (tmp_path / "run").exists() == remade
    assert not remade or os.listdir(tmp_path / "run") == ["file"]
    assert not remade or (tmp_path / "run" / "file").read_text() == "another run's"


def test_what_no_file_can_replace_is_refused(tmp_path):
    """The system's own /dev/null, for example."""
    for path, message in (("/dev/null", "is a device or a pipe"), (tmp_path, "is a folder; name a file")):
        with pytest.raises(InputError, match=message):
            require_target(path)
    with pytest.raises(InputError, match="cannot write there: File name too long"):
        require_target(tmp_path / ("x" * 300))


def test_a_disk_without_room_is_refused_before_anything_is_open(comm, folder, monkeypatch):
    write(folder / "x.h5", comm, ATTRIBUTES, {"a": Slab.replicated(np.arange(5.0), comm.rank)})
    monkeypatch.setattr(replacing.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(RunError, match="are needed there, 10 are free"):
        write(folder / "x.h5", comm, ATTRIBUTES, {"a": Slab.replicated(np.arange(6.0), comm.rank)})
    comm.Barrier()
    verify(folder / "x.h5", comm)
    assert os.listdir(folder) == ["x.h5"]


def test_the_file_appears_whole_or_not_at_all(comm, folder):
    path = folder / "file"
    for text, fails in (("old", False), ("new", True), ("newest", False)):
        try:
            with replacing.replacing(path, comm, 1) as temporary:
                if comm.rank == 0:
                    temporary.write_text(text)
                    temporary.with_name(f"{temporary.name}.locktest.0").touch()
                comm.Barrier()
                if fails:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            text = "old"
        comm.Barrier()
        assert path.read_text() == text and os.listdir(folder) == ["file"]
        comm.Barrier()


def test_temporary_names_are_short():
    assert len(temporary_name("step-00000010.h5")) <= 2 * len("step-00000010.h5")
    assert temporary_name("a.h5") != temporary_name("b.h5")


def test_what_killed_processes_left_is_removed(comm, folder):
    """Files of this machine whose process is gone; of another machine, those that are old."""
    path, here = folder / "file", replacing._machine()
    ended = 0x7FFFFFFF  # more than the number of any process of Linux

    def left(name, machine, process, ending=""):
        return f".{replacing._crc(name):08x}-{machine:04x}-{process:x}.part{ending}"

    if comm.rank == 0:
        old = left("file", here ^ 1, 1)
        abandoned = [left("file", here, ended), left("file", here, ended, ".locktest.0"), old]
        in_use = [left("file", here, os.getppid()), left("file", here ^ 1, 2), left("other", here, ended)]
        for name in [*abandoned, *in_use, ".file.part", "notes.part"]:
            (folder / name).touch()
        long_ago = time.time() - 2 * 86400
        os.utime(folder / old, (long_ago, long_ago))
        kept = {"file", *in_use, ".file.part", "notes.part"}
    with replacing.replacing(path, comm, 0):
        pass
    if comm.rank == 0:
        assert set(os.listdir(folder)) == kept
        replacing.tidy(folder, locked=True)
        assert set(os.listdir(folder)) == {"file", ".file.part", "notes.part"}
    comm.Barrier()


def test_refusals_of_the_disk_are_named(folder):
    for error in (
        OSError(28, "No space left on device"),
        RuntimeError("failed, error message = 'No space left on device'"),
    ):
        message = "the disk refused x: No space left on device; existing files are unchanged"
        with pytest.raises(WriteError, match=message), refusals(folder / "x"):
            raise error
    for error in (RunError("said"), InputError("said"), ValueError("a fault of the code")):
        with pytest.raises(type(error)) as caught, refusals(folder / "x"):
            raise error
        assert caught.value is error


def test_what_is_read_is_not_written_over(folder):
    require_unread(folder / "x", [None, folder / "y"])
    with pytest.raises(InputError, match="the command uses this file already"):
        require_unread(folder / "x", [None, folder / "z" / ".." / "x"])
