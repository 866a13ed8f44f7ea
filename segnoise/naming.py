"""Messages for misspelt names: every error names the nearest name that exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: object, known: Iterable[object], most: int = 1) -> str:
    """Return the end of an error message that suggests the nearest known names."""
    lower = {str(k).lower(): str(k) for k in known}
    wanted = str(name).lower()
    found = [k for k in lower if wanted and k.startswith(wanted)]
    found = found or difflib.get_close_matches(wanted, lower, n=most)
    return f"; did you mean {' or '.join(lower[k] for k in found[:most])}?" if found else ""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: the nearest known name, then all of them.

    Example:
        >>> did_you_mean("multclass", ["binary", "multiclass"])
        'did you mean multiclass? Known: binary, multiclass'
    """
    known = list(known)
    hint = near(name, known).removeprefix("; ")
    return f"{hint}{' ' if hint else ''}Known: {', '.join(known)}"
