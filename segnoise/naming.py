"""Messages for misspelt names: every error names the nearest name that exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: the nearest known name, then all of them.

    Args:
        name: the unknown name.
        known: the names that exist.

    Example:
        >>> did_you_mean("multclass", ["binary", "multiclass"])
        'did you mean multiclass? Known: binary, multiclass'
    """
    known = list(known)
    lower = {k.lower(): k for k in known}
    wanted = str(name).lower()
    near = [k for k in lower if wanted and k.startswith(wanted)]
    near = near or difflib.get_close_matches(wanted, lower, n=1)
    hint = f"did you mean {lower[near[0]]}? " if near else ""
    return f"{hint}Known: {', '.join(known)}"
