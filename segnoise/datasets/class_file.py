"""Read classes.txt: one class a line, where wanted with its colour."""

from __future__ import annotations

from pathlib import Path

from segnoise.datasets.palettes import Color, Palette
from segnoise.datasets.problems import one_problem


def read_classes(path: Path) -> tuple[tuple[str, ...], Palette | None]:
    """Return the class names in a file, in the order of their ids, and their colours.

    A line is a name, which may hold spaces, or a name and its red, green and blue (0..255),
    separated by spaces or commas: `road` or `road 128 64 128`. Blank lines and lines that start
    with # are passed over.

    Returns:
        The names, and the palette if every line has a colour (else None).

    Raises:
        DatasetError: If the file is missing, unreadable or empty, or some lines have a colour
            and others have not.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        what = "file of class names not found" if not path.exists() else f"cannot be read: {error}"
        raise one_problem(
            path, what, "write one class name a line into it, class 0 first, or give classes=[...]"
        ) from None
    names: list[str] = []
    colors: list[Color] = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        name, color = _parse(line)
        names.append(name)
        if color is not None:
            colors.append(color)
    if not names:
        raise one_problem(path, "names no class", "write one class name a line into it")
    if colors and len(colors) < len(names):
        raise one_problem(
            path,
            f"gives {len(colors)} of {len(names)} classes a colour",
            "give all classes a colour, or none",
        )
    return tuple(names), tuple(colors) or None


def _parse(line: str) -> tuple[str, Color | None]:
    fields = line.replace(",", " ").split()
    try:
        red, green, blue = (int(field) for field in fields[-3:])
    except ValueError:
        return line, None
    if len(fields) > 3 and all(0 <= channel <= 255 for channel in (red, green, blue)):
        return " ".join(fields[:-3]), (red, green, blue)
    return line, None
