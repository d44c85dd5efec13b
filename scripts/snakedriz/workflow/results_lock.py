"""One run at a time in a results folder.

Snakemake's own lock is kept in the folder it runs in, so two runs in different folders, or of two people, would write
into one results folder unseen. This lock, a file that says whose it is, lies in the results folder itself. Only the
process that a person started takes it; its jobs, wherever they run, do not.

It is none of filelock's: the system's locks are not seen from other hosts on every network file system, and its files
with a process id tell neither a restart nor a container, nor whose the run is.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from snakedriz.errors import SnakedrizError

NAME = ".snakedriz_run.json"
#: Where the folder that Snakemake runs in keeps the token of the last lock taken from there.
NOTE = ".snakemake/snakedriz_run"


@dataclass(frozen=True)
class LockOwner:
    """The run that a lock is of: `machine` is the same for processes that can see each other, `started` in ticks."""

    user: str
    host: str
    machine: str
    pid: int
    started: str | None
    directory: str
    token: str

    @classmethod
    def this(cls, directory: str | Path) -> LockOwner:
        """Return this process, which runs Snakemake in a folder."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as in containers
            user = str(os.getuid())
        host = machine = socket.gethostname()
        with contextlib.suppress(OSError):  # not Linux: the host's name has to do
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            machine = f"{host} {boot} {Path('/proc/self/ns/pid').readlink()}"
        pid = os.getpid()
        return cls(user, host, machine, pid, _started(pid), str(Path(directory).resolve()), uuid.uuid4().hex)

    def is_over(self, here: LockOwner) -> bool:
        """Whether it has certainly ended, as seen from another process."""
        if self.machine != here.machine:
            return False  # nothing can be seen of it from here
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False  # another user's, and alive
        return self.started is not None and self.started != _started(self.pid)  # else its number was used again


def _started(pid: int) -> str | None:
    """Return when a process was started, in ticks since boot; None where the system does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


class ResultsLock:
    """The right to write into a results folder.

    Parameters
    ----------
    results : path
        The folder; it is made if need be.
    directory : path
        The folder that Snakemake runs in, which its own lock is for.
    """

    def __init__(self, results: str | Path, directory: str | Path) -> None:
        self.path = Path(results) / NAME
        self.note = Path(directory) / NOTE
        self.mine = LockOwner.this(directory)

    def take(self) -> None:
        """Take the lock, also over from a run that has ended without giving it back.

        Raises
        ------
        SnakedrizError
            If another run holds it, or may.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while not _create(self.path, json.dumps(asdict(self.mine), indent=1) + "\n"):
            self._clear()
        self.note.parent.mkdir(exist_ok=True)
        self.note.write_text(self.mine.token, encoding="utf-8")

    def _clear(self) -> None:
        """Remove the lock that is there if its run is over."""
        text = _text(self.path)
        for _ in range(20):  # whoever has just made the file has 2 s to say who it is
            if text != "":
                break
            time.sleep(0.1)
            text = _text(self.path)
        if text is None:
            return
        try:
            owner = LockOwner(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise SnakedrizError(
                f"{self.path}: says that a run is writing into this folder, but cannot be read ({error})",
                "make sure that none is, then delete this file",
            ) from error
        # Snakemake lets one run at a time into a folder, so an earlier one from here is over, wherever it ran.
        if owner.token != _text(self.note) and not owner.is_over(self.mine):
            raise self._refusal(owner)
        # Two runs may both have found it over: whoever moves it away looks what it was.
        aside = self.path.with_name(f"{NAME}.{self.mine.token}.over")
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(aside)
            moved = aside.read_text(encoding="utf-8")
            if moved != text:
                _create(self.path, moved)
            aside.unlink()

    def _refusal(self, owner: LockOwner) -> SnakedrizError:
        there = f"whether it still runs cannot be seen from {self.mine.host}: if it does not, delete {self.path}"
        remedy = "wait until it has ended" if owner.machine == self.mine.machine else there
        return SnakedrizError(
            f"output: {self.path.parent.resolve()} is being written to by another run: {owner.user} on {owner.host}, "
            f"process {owner.pid}, started in {owner.directory}. Two runs in one results folder would overwrite each "
            "other's files",
            f"{remedy}, or choose another `output:`",
        )

    def release(self) -> None:
        """Give the lock back; nothing where it is not this run's any more."""
        text = _text(self.path)
        if text is not None and json.loads(text) == asdict(self.mine):
            self.path.unlink()
            with contextlib.suppress(OSError):  # there are results in it
                self.path.parent.rmdir()


def _create(path: Path, text: str) -> bool:
    """Write a new file; False where there is one. Made or refused as one step, on network file systems too."""
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    return True


def _text(path: Path) -> str | None:
    """Return what a file says, None where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
