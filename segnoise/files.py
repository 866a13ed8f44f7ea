"""Outputs appear whole or not at all: write to a temporary name, then rename."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: str | Path, folder: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` if the block ends well.

    A reader sees the old file or the new one, never a part; after an error, a kill or a full
    disk the old file is untouched.

    Args:
        path: the file to write; folders above it are made. An OSError names it.
        folder: an existing folder of the same file system for the temporary file, which a kill
            leaves behind; default beside ``path``.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with replacing(target) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> target.read_text()
        'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        handle, name = tempfile.mkstemp(
            dir=folder or path.parent, prefix=f".{path.stem}-", suffix=path.suffix
        )
    os.close(handle)
    temporary = Path(name)
    try:
        with naming(path, instead_of=temporary):
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # mkstemp's 0600 would hide results from colleagues
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: Path, instead_of: Path | None = None) -> Iterator[None]:
    """Let the operating system's errors in the block name the file that is written.

    A failed write names none. An error about another file is left as it is.

    Args:
        path: the file.
        instead_of: a file whose errors are its errors; None takes those of every file for them.
    """
    try:
        yield
    except OSError as error:
        own = instead_of is None or error.filename in (None, str(instead_of))
        if error.errno is None or not own:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically, indented, without NaN (which JSON does not have)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
