"""One process at a time writes into a folder."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from segnoise.errors import ConfigError
from segnoise.records import parse

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".segnoise.lock"
"""File inside a folder while a process writes there; a kill leaves it, unlocked."""

_LEFT_OVER = 30.0  # seconds in which the workers of a killed process notice that it is gone
_UNSAID = 1.0  # seconds in which a process that has the lock says who it is


@contextlib.contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold a folder's lock; a kill frees it.

    Processes that are forked meanwhile hold it too: what a killed process leaves running may
    still write. Where the file system has no locks a note on stderr says so.

    Args:
        folder: an existing folder.
        patience: seconds to wait for another process that holds it.
    """
    handle = _acquired(folder / LOCK, patience) if fcntl else None
    if handle is None:
        print(
            f"note: {folder} is on a file system without locks: see that no other process writes "
            "there",
            file=sys.stderr,
        )
    try:
        yield
    finally:
        if handle is not None:
            (folder / LOCK).unlink(missing_ok=True)
            os.close(handle)


def _acquired(path: Path, patience: float) -> int | None:
    """A handle that holds the lock; None where there are no locks."""
    began = time.monotonic()
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(handle, 4096, 0)
            os.close(handle)
            holder, wait = _holder(text)
            if time.monotonic() - began < max(wait, patience):
                time.sleep(0.1)
                continue
            raise ConfigError(
                f"{path.parent} is being written by another process, {holder}: wait for it, or "
                "choose another folder"
            ) from None
        except OSError:  # such as ENOLCK
            os.close(handle)
            path.unlink(missing_ok=True)
            return None
        # The last holder may have removed the file after it was opened here.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                own = {"process": os.getpid(), "host": platform.node(), "command": sys.argv}
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps(own).encode(), 0)
                return handle
        os.close(handle)


def _holder(text: bytes) -> tuple[str, float]:
    """Who holds a lock, in words, and how many seconds it may be worth waiting for."""
    try:
        told = parse(text)
        process, host = int(told["process"]), str(told["host"])
        command = " ".join(map(str, told["command"]))
    except (ValueError, TypeError, LookupError):
        return "which has not said who it is", _UNSAID
    words = f"{process} on {host} ({command[:200]!r})"
    if host != platform.node():
        return words, 0.0
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return f"{words}, which was killed, or one that it had started", _LEFT_OVER
    except OSError:
        pass  # somebody else's
    return words, 0.0
