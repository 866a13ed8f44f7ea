"""Files of users: only regular ones are read, and outputs appear whole or not at all."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segnoise.errors import ConfigError, DataError, RecordError
from segnoise.records import Schema, read_record

_PREFIX = ".segnoise-"  # of temporary names: short, and nobody else's file is called so
_TEMPORARY = re.compile(re.escape(_PREFIX) + r"[a-z0-9_]{8}(\.[^.]*)?")
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def user_path(path: str | Path) -> Path:
    """Return a path as a user writes it, with `~` and `~name` looked up."""
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise ConfigError(f"a path must be a text such as 'data/mine', not {path!r}")
    if "\0" in str(path):
        raise ConfigError(f"path {str(path)!r} holds a NUL character: write it without")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"path {str(path)!r}: this machine knows no such user; write the folder out, or ./~... "
            "for a folder of that name"
        ) from None


def not_a_file(path: str | Path) -> str | None:
    """Return what is at a path where it is no regular file, such as "a named pipe"; else None.

    Reading a pipe, a socket or a device may never end.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except ValueError:  # NUL: the operating system is not even asked
        return "a path with a NUL character"
    return None if kind == stat.S_IFREG else _KINDS.get(kind, "something else")


def regular(path: str | Path) -> Path:
    """Return the path of a regular file: whatever opens a user's file asks here first."""
    if what := not_a_file(path):
        raise DataError(f"{path}: is {what}, not a file; name a file, or put one in its place")
    return Path(path)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` if the block ends well.

    A reader sees the old file or the new one, never a part; after an error, a kill or a full
    disk the old file is untouched.

    Args:
        path: the file to write; folders above it are made. An OSError names it.

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
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)  # a name that is too long is found before the work, not after it
        suffix = path.suffix if len(os.fsencode(path.suffix)) <= 8 else ""
        handle, name = tempfile.mkstemp(suffix, _PREFIX, dir=path.parent)
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


def read_text(path: str | Path, errors: str = "strict") -> str:
    """Read a text file as people's editors save one: UTF-8, or UTF-16 with its mark.

    With ``errors="surrogateescape"`` what is no UTF-8 is taken as Python takes names of files.
    """
    content = regular(path).read_bytes()
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if utf_16 else "utf-8-sig", errors)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 text ({error.reason}); save it as UTF-8") from None


def check_new_json(path: str | Path, flag: str, overwrite: bool, schema: Schema) -> None:
    """See that a JSON file can be written before the work that it is to hold.

    Args:
        path: the file.
        flag: what it was given by.
        overwrite: it may be there already, if it holds what the flag writes.
        schema: what the flag writes, see :mod:`segnoise.records`.

    Raises:
        ConfigError: if it has another suffix, is there, is a folder, or lies below a file.
    """
    path = Path(path)
    if path.is_dir():
        raise ConfigError(f"{flag} {path} is a folder: name a file, such as {path / 'out.json'}")
    if blocked := [parent for parent in path.parents if parent.exists() and not parent.is_dir()]:
        raise ConfigError(f"{flag} {path}: {blocked[0]} is a file, not a folder")
    if path.suffix != ".json":
        raise ConfigError(f"{flag} {path}: name a file that ends in .json, which it becomes")
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise ConfigError(f"{path} exists: name another file by {flag}, or give --overwrite")
    try:
        read_record(path, schema)
    except RecordError:
        raise ConfigError(
            f"{flag} {path} holds something else than {flag} writes, which --overwrite does not "
            "replace: name another file, or remove it by hand"
        ) from None


def is_temporary(name: str) -> bool:
    """Whether a file's name is one that :func:`replacing` writes to, such as a kill leaves."""
    return _TEMPORARY.fullmatch(name) is not None


@contextlib.contextmanager
def naming(path: Path, instead_of: Path | None = None) -> Iterator[None]:
    """Let the operating system's errors in the block name the file that is written.

    A failed write names none. With ``instead_of``, errors about other files than that are left.
    """
    try:
        yield
    except OSError as error:
        own = instead_of is None or error.filename in (None, str(instead_of))
        if error.errno is None or not own:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file atomically; what UTF-8 cannot hold is written as an escape.

    That is the bytes of a file's name that is no UTF-8, which Python reads as lone surrogates.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically, indented, without NaN (which JSON does not have)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
