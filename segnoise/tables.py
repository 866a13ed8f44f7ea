"""Tables for people: aligned in a terminal, and valid Markdown. Standard library only."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def markdown(
    header: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)
) -> str:
    """Return cells as a Markdown table whose columns line up.

    Args:
        header: One cell a column.
        rows: As many cells each.
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
    for number, cells in enumerate(zip(header, *rows, strict=True)):
        width = max(map(len, cells))
        if number in left:
            aligned = [cell.ljust(width) for cell in cells]
            rule = ":" + "-" * (width - 1)
        else:
            aligned = [cell.rjust(width) for cell in cells]
            rule = "-" * (width - 1) + ":"
        columns.append([aligned[0], rule, *aligned[1:]])
    return "\n".join(f"| {' | '.join(row)} |" for row in zip(*columns, strict=True))
