"""The run folder: its lock, the files of earlier runs, and the check that they belong to the same run."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import IO, TYPE_CHECKING

from hpcgen.checkpoints.folder import candidates, checkpoint_name, damaged
from hpcgen.config.differences import differences
from hpcgen.config.reading import load_recorded
from hpcgen.config.sections import Config
from hpcgen.errors import InputError, RunError
from hpcgen.files.replacing import leads_to, replace_text, require_short, tidy
from hpcgen.parallel.agreement import agree

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)

# Seconds that a run waits for the lock of its folder. The ranks of a killed job need a moment to end.
LOCK_SECONDS = 3.0
# The file that a run locks while it writes in the folder.
LOCK = ".lock"
# The files and folders that a run writes. --fresh moves them aside.
CONTENT = ("config.toml", "metrics.csv", "samples", "checkpoints")


class RunFolder:
    """The folder of one run. Only rank 0 calls the methods and holds the lock. All ranks call `locked`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    def require_short(self, config: Config) -> None:
        """Raise InputError if the paths of the run's checkpoints are too long to be written."""
        require_short(self.path / "checkpoints" / checkpoint_name(config.train.steps))

    @contextmanager
    def locked(self, comm: "MPI.Comm") -> Iterator[None]:
        """Lock the folder until this run ends or fails. Raises InputError if another run holds the lock.

        Collective over `comm`.
        """
        with agree(comm):
            if comm.rank == 0:
                with self._writable():
                    self.path.mkdir(parents=True, exist_ok=True)
                    self._lock = open(self.path / LOCK, "w")  # noqa: SIM115 (held until the run ends)
                self._hold(self._lock)
        try:
            yield
        finally:
            self.leave()

    def _hold(self, lock: IO[str]) -> None:
        """Take the lock. If the file system has no locks, the run continues without one."""
        deadline = monotonic() + LOCK_SECONDS
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if monotonic() > deadline:
                    lock.close()
                    raise InputError(
                        f"{self.path}: another run is writing there; "
                        "wait for it, or choose another --run folder"
                    ) from None
                sleep(0.1)
            except OSError:
                return None

    def attend(self) -> None:
        """Let `require_there` check the folder, which another process has locked."""
        if self._lock is None:
            with self._writable():
                self._lock = open(self.path / LOCK)  # noqa: SIM115 (closed in leave)

    def leave(self) -> None:
        """Give up the lock, or no longer attend."""
        if self._lock:
            self._lock.close()

    def require_there(self) -> None:
        """Raise RunError if the folder or its lock was moved or removed. Another run may use the path now.

        This is called before each write. Otherwise this run could create the folder again, or remove another
        run's files.
        """
        if self._lock is None:
            return
        try:
            there = leads_to(self.path / LOCK, self._lock.fileno())
        except OSError as error:
            raise RunError(f"{self.path}: is no longer accessible: {error.strerror}") from error
        if not there:
            raise RunError(
                f"{self.path}: the run folder was moved or removed while the run was writing there; "
                "nothing more is written; put it back and run again to resume from its newest checkpoint"
            )

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot write there: {error.strerror}; choose another --run folder"
            ) from None

    def enter(self, config: Config, fresh: bool) -> list[Path]:
        """Compare the folder with the configuration, remove temporary files, and return its checkpoints,
        newest first.

        With `fresh`, first move the files of an earlier run aside. Raises InputError.
        """
        with self._writable():
            if fresh:
                self._set_aside()
            self._require_same_run(config)
            tidy(self.path, locked=True)
            for name in ("checkpoints", "samples"):
                (self.path / name).mkdir(exist_ok=True)
                tidy(self.path / name, locked=True)
                # Unfinished pictures of a killed run. Older versions of hpcgen also left such checkpoints.
                for left in (self.path / name).glob(".step-*"):
                    left.unlink()
        found, broken = candidates(self.path), damaged(self.path)
        if broken and not found:
            raise InputError(
                f"{self.path}: its checkpoints are damaged ({', '.join(path.name for path in broken)}) "
                "and none is whole; start over with --fresh, or choose another --run folder"
            )
        return found

    def _require_same_run(self, config: Config) -> None:
        """Raise InputError if config.toml differs in a key that changes the mathematics.

        A config.toml that is incomplete, for example after a power failure, causes only a warning: the
        checkpoints also hold the configuration.
        """
        path = self.path / "config.toml"
        if not path.exists():
            return
        try:
            recorded = load_recorded(path)
        except InputError as error:
            logger.warning("%s; it is written again, and the checkpoint is compared instead", error)
            return
        changed = differences(config, recorded)
        if changed:
            raise InputError(
                f"{self.path}: was run with another configuration ({'; '.join(changed)}); "
                "set these keys as they were, choose another --run folder, or start over with --fresh"
            )

    def record(self, config: Config) -> None:
        """Write config.toml, completely or not at all. Raises WriteError."""
        replace_text(self.path / "config.toml", config.toml())

    def _set_aside(self) -> None:
        """Move the files of an earlier run to the subfolder old-N. --fresh deletes nothing."""
        present = [self.path / name for name in CONTENT if (self.path / name).exists()]
        if present:
            number = 1
            while (self.path / f"old-{number}").exists():
                number += 1
            aside = self.path / f"old-{number}"
            aside.mkdir()
            for path in present:
                path.rename(aside / path.name)
