"""One process at a time writes into a noisy copy's folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from segnoise.errors import DataError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""File inside a copy's folder while a process writes there; a kill leaves it, unlocked."""

_PATIENCE = 3.0  # seconds; the workers of a run that was killed hold its lock until they notice


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; where the file system has no locks, do without.

    Args:
        folder: An existing folder.

    Raises:
        DataError: If another process holds the lock.
    """
    handle = _acquired(folder / LOCK) if fcntl else None
    try:
        yield
    finally:
        if handle is not None:
            (folder / LOCK).unlink(missing_ok=True)
            os.close(handle)


def _acquired(path: Path) -> int:
    deadline = time.monotonic() + _PATIENCE
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise DataError(
                f"{path.parent} is being written by another process: wait for it, or choose "
                "another folder"
            ) from None
        except OSError:  # no locks here
            return handle
        # The last holder may have removed the file after it was opened here.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)
