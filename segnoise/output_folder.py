"""Folders of results: new, empty, or one of ours; what is not ours in them stays as it is.

A folder that a tool writes holds a hidden file, ``.segnoise.jsonl``. Its first line says what
kind of folder it is; each further line is the name of a file that segnoise writes there, put down
before the file appears, so that a kill leaves no file of ours unlisted. Only listed files are ever
replaced or removed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from segnoise.errors import ConfigError
from segnoise.files import is_temporary, write_text
from segnoise.lock import LOCK, locked
from segnoise.records import parse
from segnoise.version import __version__

MARK = ".segnoise.jsonl"
"""The file that makes a folder ours, and lists our files in it."""

_FORMAT = 1
_FINISHED = {"finished": True}
_SHOWN = 5  # names of a list in a message


class OutputFolder:
    """A folder that this process writes and no other; made by :func:`claim`."""

    def __init__(self, path: Path, kind: str, flag: str, keep: Collection[str] = ()) -> None:
        self.path = path
        self.kind = kind
        self.keep = frozenset(keep)
        self._flag = flag
        self._real = Path(os.path.realpath(path))
        self._names: list[str] | None = None  # None: there is no list yet
        self._finished = False

    def held(self) -> list[str]:
        """Listed files that are there, but those to keep."""
        names = [name for name in self._names or () if name not in self.keep]
        return [name for name in names if os.path.lexists(self._real / name)]

    def refuse_finished(self) -> None:
        """Refuse a folder that has whole results, see :meth:`finish`."""
        if (held := self.held()) and self._finished:
            raise ConfigError(
                f"{self._flag} {self.path} holds {self.kind} already ({_some(held)}): take another "
                "folder, or replace it by --overwrite"
            )

    def clear(self, keep: Collection[str] = ()) -> None:
        """Remove the listed files, and folders that are empty without them; say what stays."""
        kept = self.keep.union(keep)
        removed = [name for name in self._names or () if name not in kept]
        for name in removed:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                if not _link_above(self._real, name):
                    (self._real / name).unlink()
        for parent in sorted({p for n in removed for p in PurePosixPath(n).parents}, reverse=True):
            folder = self._real / parent
            if folder != self._real and not _link_above(self._real, f"{parent}/x"):
                with contextlib.suppress(OSError):  # not empty, or gone
                    folder.rmdir()
        if self._names is not None:
            self._names = [name for name in self._names if name in kept]
            self._write()
        others = _foreign(self._real, self._names or ())
        if others:
            print(
                f"note: left in {self.path}, since segnoise has not put it there: {_some(others)}",
                file=sys.stderr,
            )

    def finish(self) -> None:
        """Note that the results are whole: the next claim need not begin anew unasked."""
        _append(self._real / MARK, [_FINISHED])

    def expect(self, names: Iterable[str]) -> None:
        """List files that are going to be written."""
        wanted = dict.fromkeys(names)
        for parent in {PurePosixPath(name).parent for name in wanted}:
            refuse_link(self._real, str(parent), self._flag)
        known = frozenset(self._names or ())
        new = [name for name in wanted if name not in known]
        for name in new:
            if os.path.lexists(self._real / name):
                raise ConfigError(
                    f"{self.path / name} is not of segnoise, and would be replaced: move it, or "
                    f"take another folder ({self._flag})"
                )
        self._names = [*(self._names or ()), *new]
        if (self._real / MARK).exists():
            _append(self._real / MARK, new)
        else:
            self._write()

    def _write(self) -> None:
        head = {"segnoise": __version__, "kind": self.kind, "format": _FORMAT}
        lines: list[Any] = [head, *(self._names or ())]
        write_text(self._real / MARK, "".join(json.dumps(line) + "\n" for line in lines))

    def _enter(self) -> None:
        """Read the list, or see that the folder is empty."""
        self._names = None
        found = _read(self._real, self.path)
        if found is not None:
            kind, names, self._finished = found
            if kind != self.kind:
                raise ConfigError(
                    f"{self._flag} {self.path} is a folder of {kind}, not of {self.kind}: take "
                    "another one"
                )
            self._names = names
        elif others := _foreign(self._real, ()):
            raise ConfigError(
                f"{self._flag} {self.path} holds {others[0]!r}, which segnoise has not put there: "
                "take a new or an empty folder"
            )


def look(
    folder: str | Path,
    kind: str,
    *,
    flag: str = "--out",
    keep: Collection[str] = (),
) -> OutputFolder:
    """A folder as :func:`claim` would take it; nothing is written.

    Raises:
        ConfigError: as there, but for another process.
    """
    out = OutputFolder(Path(folder), kind, flag, keep)
    for above in (out._real, *out._real.parents):
        if above.exists() and not above.is_dir():
            place = "is a file" if above == out._real else f"lies below {above}, which is a file"
            raise ConfigError(f"{flag} {folder} {place}, not a folder: name another one")
    if out._real.exists():
        out._enter()
    return out


@contextlib.contextmanager
def claim(
    folder: str | Path,
    kind: str,
    *,
    flag: str = "--out",
    keep: Collection[str] = (),
    patience: float = 0.0,
) -> Iterator[OutputFolder]:
    """Make a folder ours for the time of a block, in which no other process may write it.

    What a killed process has left half-written is removed. A block that lists no file, or writes
    none, leaves nothing behind.

    Args:
        folder: new, empty, or one of this kind; the folders above it are made.
        kind: what it is to be of, in words, such as "a training".
        flag: what it was given by, for messages.
        keep: see :class:`OutputFolder`.
        patience: seconds to wait for another process.

    Raises:
        ConfigError: if it holds anything else, is no folder, or another process writes it.
        OSError: if it cannot be written.
    """
    out = look(folder, kind, flag=flag, keep=keep)
    real = out._real
    missing = [above for above in (real, *real.parents) if not above.exists()]
    real.mkdir(parents=True, exist_ok=True)
    try:
        with locked(real, patience):
            out._enter()
            _remove_temporaries(real, out._names or ())
            try:
                yield out
            finally:
                with contextlib.suppress(FileNotFoundError):
                    if out._names == [] or not _foreign(real, ()):
                        (real / MARK).unlink()
    finally:
        for made in missing:
            with contextlib.suppress(OSError):  # not empty: something was written
                made.rmdir()


def announce(folder: Path, *names: str, made: bool = False) -> None:
    """List files that are going to be written, where a folder is ours; else do nothing.

    Those that are ``made`` are there: nobody knew before how they would be called.
    """
    found = _read(folder, folder)
    if found is not None:
        out = OutputFolder(folder, found[0], "the folder")
        out._names = found[1]
        if made:
            _append(folder / MARK, names)
        else:
            out.expect(names)


def refuse_link(folder: Path, below: str, flag: str) -> None:
    """Refuse to write into a folder below another one by way of a link."""
    if link := _link_above(folder, f"{below}/x"):
        raise ConfigError(
            f"{link} is a link to {os.path.realpath(link)}, and what is written there would land "
            f"in that: remove the link, or take another folder ({flag})"
        )


def keep_apart(place: str | Path, *groups: Sequence[str | Path], flag: str = "--out") -> None:
    """Refuse a place of results that lies among a data set's files, or holds them.

    Args:
        place: a file or folder of results, whether or not it is there.
        groups: the data set's images, its masks, and so on: files that lie together.
        flag: what the place was given by.
    """
    real = Path(os.path.realpath(place))
    files = [[os.path.abspath(file) for file in group] for group in groups]
    folders = [{os.path.dirname(file) for file in group} for group in files]
    commons = {common for group in folders if group and (common := common_folder(group))}
    root = common_folder([folder for group in folders for folder in group])
    # Below the data set's own folder is room for results, among its images or masks is not.
    taken = set().union(_without_shared_end(commons) - {root}, *folders)
    for folder in sorted({Path(os.path.realpath(each)) for each in taken}):
        if real.is_relative_to(folder) or folder.is_relative_to(real):
            how = "holds" if folder.is_relative_to(real) else "is among"
            raise ConfigError(
                f"{flag} {place} {how} the data set's files in {folder}: name a place apart from "
                "them"
            )


def _without_shared_end(folders: Collection[str]) -> set[str]:
    """Folders without the parts at their ends in which all agree, such as a split's name.

    Example:
        >>> sorted(_without_shared_end(["/data/images/train/a", "/data/masks/train/a"]))
        ['/data/images', '/data/masks']
    """
    paths = set(map(PurePath, folders))
    while len(paths) > 1 and len({path.name or path for path in paths}) == 1:
        paths = {path.parent for path in paths}
    return set(map(str, paths))


def common_folder(folders: Iterable[str]) -> str | None:
    """Return the folder that holds all; None if that is a file system's root, or there is none."""
    try:
        folder = os.path.commonpath(list(folders))
    except ValueError:  # no folders, or several drives
        return None
    return None if folder == Path(folder).anchor else folder


def _read(real: Path, shown: Path) -> tuple[str, list[str], bool] | None:
    """Kind, names, and whether it is finished, of a folder of ours; None if it is none."""
    try:
        text = (real / MARK).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError:
        text = ""
    first, *lines = text.split("\n")
    head = _parsed(first)
    if not isinstance(head, dict) or not isinstance(head.get("kind"), str):
        raise ConfigError(
            f"{shown / MARK} is damaged, and nobody knows which files there are segnoise's: take "
            "another folder"
        )
    if head.get("format") != _FORMAT:
        raise ConfigError(
            f"{shown} was written by another version of segnoise: take another folder"
        )
    # A line that a kill has cut stands for a file that has not been begun.
    entries = [_parsed(line) for line in lines]
    return head["kind"], [name for name in entries if is_below(name)], _FINISHED in entries


def _parsed(line: str) -> Any:
    try:
        return parse(line)
    except ValueError:
        return None


def is_below(name: Any) -> bool:
    """Return whether a text is the path of a file below a folder, as lists of files have it."""
    if not isinstance(name, str) or "\0" in name or PureWindowsPath(name).drive:
        return False
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts


def _append(path: Path, entries: Sequence[Any]) -> None:
    """Add lines to a list in one writing; after a line that a kill has cut, on a new one."""
    if not entries:
        return
    handle = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(handle).st_size
        cut = os.pread(handle, 1, size - 1) != b"\n"
        text = "\n" * cut + "".join(json.dumps(entry) + "\n" for entry in entries)
        content = text.encode()
        if os.write(handle, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(handle)


def _foreign(real: Path, names: Iterable[str]) -> list[str]:
    """Names directly in a folder that are none of ours."""
    own = {MARK, LOCK, *(PurePosixPath(name).parts[0] for name in names)}
    return sorted(name for name in os.listdir(real) if name not in own and not is_temporary(name))


def _link_above(real: Path, name: str) -> Path | None:
    """The first folder between a folder and a file in it that is a link."""
    path = real
    for part in PurePosixPath(name).parts[:-1]:
        path = path / part
        if path.is_symlink():
            return path
    return None


def _remove_temporaries(real: Path, names: Iterable[str]) -> None:
    """Remove what a killed process has left half-written."""
    for parent in {PurePosixPath(name).parent for name in names} | {PurePosixPath(".")}:
        if _link_above(real, f"{parent}/x"):
            continue
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for name in filter(is_temporary, os.listdir(real / parent)):
                (real / parent / name).unlink(missing_ok=True)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
