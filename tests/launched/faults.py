"""Run hpcgen with a fault on the last rank: python faults.py FAULT ARGUMENT..."""

import os
import resource
import signal
import sys

from mpi4py import MPI

from hpcgen import cli

LAST = MPI.COMM_WORLD.rank == MPI.COMM_WORLD.size - 1


def raise_in_step():
    """The last rank's arithmetic fails in the third step, while the others wait in the exchange."""
    from hpcgen.models.gan import GAN

    objective, calls = GAN.objective, []

    def failing(self, *arguments):
        calls.append(1)
        if LAST and len(calls) > 10:
            raise ZeroDivisionError("injected")
        return objective(self, *arguments)

    GAN.objective = failing


def _while_it_draws(act):
    from hpcgen.training.hooks.samples import Drawing

    draw = Drawing.draw

    def failing(self, *arguments):
        if LAST:
            act()
        return draw(self, *arguments)

    Drawing.draw = failing


def observer_raises():
    """The last rank, which observes, has a bug."""
    _while_it_draws(lambda: 1 / 0)


def observer_is_refused():
    """The disk refuses the pictures of the last rank, which observes."""
    from hpcgen.errors import WriteError

    def refuse():
        raise WriteError("injected")

    _while_it_draws(refuse)


def observer_is_killed():
    """The last rank, which observes, is killed."""
    _while_it_draws(lambda: os.kill(os.getpid(), signal.SIGKILL))


def first_rank_raises():
    """Rank 0, which trains, has a bug."""
    from hpcgen.training.schedule import Schedule

    step = Schedule.step

    def failing(self, number, stop):
        if MPI.COMM_WORLD.rank == 0 and number == 12:
            raise ZeroDivisionError
        return step(self, number, stop)

    Schedule.step = failing


def input_error_in_step():
    """The last rank alone finds bad input, where nobody agrees on errors."""
    from hpcgen.data.shards import Shards
    from hpcgen.errors import InputError

    batch = Shards.batch

    def failing(self, step, lane):
        if LAST and step == 2:
            raise InputError("injected")
        return batch(self, step, lane)

    Shards.batch = failing


def killed():
    """The last rank is killed in the third step."""
    from hpcgen.data.shards import Shards

    batch = Shards.batch

    def failing(self, step, lane):
        if LAST and step == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return batch(self, step, lane)

    Shards.batch = failing


def file_limit():
    """The last rank, and it alone, may write no file beyond 64 KiB from the second checkpoint on."""
    from hpcgen.files import writing

    write, calls = writing.write, []
    writing.HANGING_SECONDS = 5.0

    def failing(*arguments, **options):
        calls.append(1)
        if LAST and len(calls) > 1:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))
        return write(*arguments, **options)

    writing.write = failing


def silent_loss():
    """The second checkpoint's bytes do not reach the disk, and nobody says so."""
    from hpcgen.files import writing

    write, calls = writing.write_together, []

    def failing(temporary, path, *arguments):
        calls.append(1)
        write(temporary, path, *arguments)
        if LAST and len(calls) > 1:
            with open(temporary, "r+b") as file:
                file.seek(os.path.getsize(temporary) // 2)
                file.write(bytes(100_000))

    writing.write_together = failing


def lost_attribute():
    """64 bytes of the second checkpoint's attribute `config` do not reach the disk, and nobody says so."""
    from hpcgen.files import writing

    write, calls = writing.write_together, []

    def failing(temporary, path, *arguments):
        calls.append(1)
        write(temporary, path, *arguments)
        if LAST and len(calls) > 1:
            content = temporary.read_bytes()
            position = content.index(b"lane_size = ")
            temporary.write_bytes(content[:position] + bytes(64) + content[position + 64 :])

    writing.write_together = failing


def unreadable_checkpoints():
    """The last rank, and it alone, has too many open files for a checkpoint."""
    import h5py

    from hpcgen.checkpoints import inspection  # noqa: F401  (whose annotations name h5py.File)

    opened = h5py.File

    def failing(path, *arguments, **options):
        if LAST and "step-" in str(path):
            raise OSError(24, "Too many open files")
        return opened(path, *arguments, **options)

    h5py.File = failing


def killed_before_the_rename():
    """Rank 0 is killed before a file that all have written is complete; Open MPI left a file too."""
    from hpcgen.files import writing

    write = writing.write_together

    def failing(temporary, path, comm, *arguments):
        write(temporary, path, comm, *arguments)
        if comm.rank == 0:
            temporary.with_name(f"{temporary.name}.locktest.0").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    writing.write_together = failing


def full_unforeseen():
    """The disk seems to have room (another job takes it, or a quota ends) and has not."""
    import shutil
    from types import SimpleNamespace

    shutil.disk_usage = lambda path: SimpleNamespace(free=1 << 60)


def full_unforeseen_without_mpi():
    """The same where h5py has no MPI."""
    without_mpi()
    full_unforeseen()


def no_memory_for_a_sample():
    """No rank may gather a whole sample, decode one, or hold more than half of the samples for a file."""
    from math import prod

    from hpcgen.models.units import Interval
    from hpcgen.parallel.operators.gather import Gather
    from hpcgen.sampling import sample

    whole, decode, write = Gather.whole, Interval.decode, sample.write
    # The sizes of the volumes of test_cells.py.
    sizes = (32, 32, 32)

    def gathers(self, x):
        if self.sizes == sizes:
            raise MemoryError("a whole sample is gathered")
        return whole(self, x)

    def decodes(self, x):
        if x.size >= prod(sizes):
            raise MemoryError("a whole sample is decoded")
        return decode(self, x)

    def writes(path, comm, slabs, *arguments):
        held = sum(piece.rows.size for piece in slabs["samples"].pieces)
        if 2 * held > prod(slabs["samples"].shape):
            raise MemoryError("more than half of the samples are on a rank")
        write(path, comm, slabs, *arguments)

    Gather.whole, Interval.decode, sample.write = gathers, decodes, writes


def without_mpi():
    """h5py as PyPI ships it."""
    from types import SimpleNamespace

    import h5py

    h5py.get_config = lambda: SimpleNamespace(mpi=False)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    cli.main(sys.argv[2:])
