"""Standard streams that can take whatever a tool prints, and that may be closed at any time."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from typing import Any

from segnoise.tables import printable

# Nobody reads any more (EPIPE), the terminal has gone (EIO), there is no room for a log.
_GONE = {errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EDQUOT}


def for_terminal(text: str) -> str:
    r"""Return a text with its control characters written out, but for tabs and ends of lines.

    Example:
        >>> print(for_terminal("cat\x1b[2J"))
        cat\x1b[2J
    """
    return re.sub(r"[^\t\n\r]+", lambda found: printable(found[0]), text)


class Stream:
    """A text stream that writes control characters out, and outlives its reader where asked to.

    Attributes:
        outlives: go on in silence when nobody reads any more, instead of raising.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.outlives = False

    def write(self, text: str) -> int:
        """Write a text."""
        try:
            self._stream.write(for_terminal(text))
        except OSError as error:
            self._lost(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what has been written."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        if not self.outlives or error.errno not in _GONE:
            raise error
        silence(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def silence(stream: Any) -> None:
    """Let a stream that cannot be written to lead nowhere, with what it still holds."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
    with contextlib.suppress(OSError):
        stream.flush()


def set_up() -> None:
    """Make the standard streams safe to print to; every tool does it first.

    A stream that is closed leads nowhere, instead of into the next file that is opened. What the
    terminal's encoding lacks, and bytes of names that are no text, are written as escapes.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            with contextlib.suppress(OSError):
                os.fstat(number)  # taken by a file that was opened since
                number = null
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
        stream = getattr(sys, name)
        if name == "stdin" or isinstance(stream, Stream):
            continue
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Stream(stream))


def outlive_reader(outlives: bool) -> None:
    """Say whether work goes on when nobody reads its output any more, as with ``| head``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Stream):
            stream.outlives = outlives
