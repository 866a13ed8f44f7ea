"""Tables for people: aligned in a terminal, and valid Markdown. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

# Control characters, line separators, what turns the direction of a text, lone surrogates.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return a text on one line, with escapes for what steers a terminal or is no character.

    File names may hold line breaks, ESC, and bytes that are no UTF-8.
    """
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def markdown(
    header: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)
) -> str:
    """Return cells as a Markdown table whose columns line up.

    Args:
        header: One cell a column.
        rows: As many cells each. A cell is any text: line breaks, control characters and `|`
            are escaped.
        left: Numbers of the columns that are text, and aligned to the left; the others are
            numbers, aligned to the right.

    Example:
        >>> print(markdown(["class", "IoU"], [["road", "93.1"], ["pole", "8.2"]]))
        | class |  IoU |
        | :---- | ---: |
        | road  | 93.1 |
        | pole  |  8.2 |
    """
    columns = []
    for number, column in enumerate(zip(header, *rows, strict=True)):
        cells = [printable(cell).replace("|", "\\|") for cell in column]
        width = max(map(len, cells))
        if number in left:
            aligned = [cell.ljust(width) for cell in cells]
            rule = ":" + "-" * (width - 1)
        else:
            aligned = [cell.rjust(width) for cell in cells]
            rule = "-" * (width - 1) + ":"
        columns.append([aligned[0], rule, *aligned[1:]])
    return "\n".join(f"| {' | '.join(row)} |" for row in zip(*columns, strict=True))
