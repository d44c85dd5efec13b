"""One run at a time in a results folder.

Snakemake's own lock is kept in the folder it runs in, so two runs in different folders, or of two people, would write
into one results folder unseen. This lock lies in the results folder itself. Only the process that a person started
takes it; its jobs, wherever they run, do not.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import json
import os
import socket
import uuid
from pathlib import Path
from typing import Any

from snakedriz.errors import SnakedrizError

NAME = ".snakedriz_run.json"
#: Where the folder that Snakemake runs in keeps the token of the last lock taken from there.
NOTE = ".snakemake/snakedriz_run"


def machine() -> str:
    """Return what is the same for processes that can see each other: host, boot, and process id namespace."""
    parts = [socket.gethostname()]
    for path, read in (("/proc/sys/kernel/random/boot_id", _text), ("/proc/self/ns/pid", os.readlink)):
        with contextlib.suppress(OSError):  # not Linux: the host's name has to do
            parts.append(read(path))
    return " ".join(parts)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8").strip()


def _started(pid: int) -> str | None:
    """When a process was started, in ticks since boot, so that a process id that was used again is told apart."""
    try:
        return _text(f"/proc/{pid}/stat").rpartition(")")[2].split()[19]
    except OSError:
        return None


def _owner(directory: str | Path) -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        user = str(os.getuid())
    return {
        "user": user,
        "host": socket.gethostname(),
        "machine": machine(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "directory": str(Path(directory).resolve()),
        "token": uuid.uuid4().hex,
    }


def _is_over(owner: dict[str, Any], mine: dict[str, Any]) -> bool:
    """Whether the run that holds a lock has certainly ended."""
    if owner["machine"] != mine["machine"]:
        return False  # nothing can be seen of it from here
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # another user's, and alive
    return owner["started"] is not None and owner["started"] != _started(owner["pid"])


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
        self.mine = _owner(directory)

    def take(self) -> None:
        """Take the lock, also over from a run that has ended without giving it back.

        Raises
        ------
        SnakedrizError
            If another run holds it, or may.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        proposal = self.path.with_name(f"{NAME}.{self.mine['token']}")
        proposal.write_text(json.dumps(self.mine, indent=1) + "\n", encoding="utf-8")
        try:
            # A hard link is made or refused as one step, on network file systems too.
            while not _link(proposal, self.path):
                self._clear()
        finally:
            proposal.unlink()
        self.note.parent.mkdir(exist_ok=True)
        self.note.write_text(self.mine["token"], encoding="utf-8")

    def _clear(self) -> None:
        """Remove the lock that is there if its run is over."""
        text = _text_of(self.path)
        if text is None:
            return
        try:
            owner = json.loads(text)
            # Snakemake lets one run at a time into a folder, so an earlier one from here is over, wherever it ran.
            over = owner["token"] == _text_of(self.note) or _is_over(owner, self.mine)
        except (ValueError, KeyError, TypeError) as error:
            raise SnakedrizError(
                f"{self.path}: says that a run is writing into this folder, but cannot be read ({error}); make sure "
                "that none is, then delete this file"
            ) from error
        if not over:
            raise SnakedrizError(self._refusal(owner))
        # Two runs may both have found it over: whoever moves it away looks what it was.
        aside = self.path.with_name(f"{NAME}.{self.mine['token']}.over")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return
        if aside.read_text(encoding="utf-8") != text:
            _link(aside, self.path)
        aside.unlink()

    def _refusal(self, owner: dict[str, Any]) -> str:
        elsewhere = owner["machine"] != self.mine["machine"]
        remedy = (
            f"whether it still runs cannot be seen from {self.mine['host']}: if it does not, delete {self.path}"
            if elsewhere
            else "wait until it has ended"
        )
        return (
            f"output: {self.path.parent.resolve()} is being written to by another run: {owner['user']} on "
            f"{owner['host']}, process {owner['pid']}, started in {owner['directory']}. Two runs in one results folder "
            f"would overwrite each other's files; {remedy}, or choose another `output:`"
        )

    def release(self) -> None:
        """Give the lock back; nothing where it is not this run's any more."""
        text = _text_of(self.path)
        if text is not None and json.loads(text) == self.mine:
            self.path.unlink()
            with contextlib.suppress(OSError):  # there are results in it
                self.path.parent.rmdir()


def _text_of(path: Path) -> str | None:
    """Return what a file says, None where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _link(source: Path, target: Path) -> bool:
    """Give a file a second name; False where that name is taken."""
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        # No hard links on this file system: a new file, refused where there is one.
        try:
            with target.open("x", encoding="utf-8") as stream:
                stream.write(source.read_text(encoding="utf-8"))
        except FileExistsError:
            return False
    return True
