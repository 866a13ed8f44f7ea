"""Read class names from a file: one a line, or as Roboflow, CVAT and labelme write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from segnoise.datasets.base import checked_classes
from segnoise.datasets.files.palettes import Color, Palette
from segnoise.datasets.problems import one_problem, problem_of
from segnoise.errors import ConfigError, DataError
from segnoise.files import read_text

_LINES = "write one class name a line into a text file, class 0 first, or give classes=[...]"
_CVAT = "label:color_rgb:parts:actions"
_SEPARATORS = {"\t": "tabs", ";": "semicolons", ":": "colons", ",": "commas", "=": "equals signs"}


def read_classes(path: Path) -> tuple[tuple[str, ...], Palette | None]:
    """Return the class names in a file, in the order of their ids, and their colours.

    A line is a name, which may hold spaces, or a name and its red, green and blue (0..255),
    separated by spaces or commas: `road` or `road 128 64 128`. Blank lines and lines that start
    with # are passed over. Files of other tools are known by what they hold:

    - Roboflow's `_classes.csv` of a set of masks: a head "Pixel Value, Class", then numbers from
      0 on and names;
    - CVAT's `labelmap.txt`: "# label:color_rgb:parts:actions", then `road:128,64,128::`;
    - labelme's `labels.txt`: `__ignore__`, which is void and no class, then names.
    """
    try:
        lines = [line.strip() for line in read_text(path).splitlines()]
    except FileNotFoundError:
        raise one_problem(path, "file of class names not found", _LINES) from None
    except OSError as error:
        raise one_problem(path, f"cannot be read: {error.strerror}", _LINES) from None
    except DataError as error:
        raise problem_of(path, error) from None
    from_cvat = any(line.lstrip("# ") == _CVAT for line in lines if line.startswith("#"))
    lines = [line for line in lines if line and not line.startswith("#")]
    head = lines[0].lower().replace(" ", "") if lines else ""
    entries: list[tuple[str, Color | None]]
    if from_cvat:
        entries = [_parse_cvat(path, line) for line in lines]
    elif head == "pixelvalue,class":
        entries = [(name, None) for name in _roboflow(path, lines[1:])]
    else:
        if head in ("name,r,g,b", "__ignore__"):
            del lines[0]
        entries = [_parse(line) for line in lines]
        _refuse_table(path, [name for name, _ in entries])
    names = [name for name, _ in entries]
    colors = [color for _, color in entries if color is not None]
    if not names:
        raise one_problem(path, "names no class", "write one class name a line into it")
    if colors and len(colors) < len(names):
        raise one_problem(
            path,
            f"gives {len(colors)} of {len(names)} classes a colour",
            "give all classes a colour, or none",
        )
    try:
        return checked_classes(names), tuple(colors) or None
    except ConfigError as error:
        raise one_problem(path, str(error), _LINES) from None


def _parse(line: str) -> tuple[str, Color | None]:
    fields = line.replace(",", " ").split()
    color = _color(fields[-3:])
    return (line, None) if color is None or len(fields) < 4 else (" ".join(fields[:-3]), color)


def _color(fields: Sequence[str]) -> Color | None:
    try:
        red, green, blue = (int(field) for field in fields)
    except ValueError:
        return None
    return (red, green, blue) if all(0 <= c <= 255 for c in (red, green, blue)) else None


def _parse_cvat(path: Path, line: str) -> tuple[str, Color | None]:
    fields = line.rsplit(":", 3)  # a label may hold a colon
    color = _color(fields[1].split(",")) if len(fields) == 4 else None
    if len(fields) != 4 or (color is None and fields[1].strip()):
        what = f"line {line!r} is not label:color_rgb:parts:actions, as in CVAT's label maps"
        raise one_problem(path, what, "export the label map again, or " + _LINES)
    return fields[0].strip(), color


def _roboflow(path: Path, lines: Sequence[str]) -> list[str]:
    rows = [[field.strip() for field in row] for row in csv.reader(lines)]
    if any(len(row) != 2 for row in rows) or [row[0] for row in rows] != [
        str(number) for number in range(len(rows))
    ]:
        raise one_problem(
            path,
            f"its pixel values are not 0 to {len(rows) - 1}, one a line",
            "give classes=[...] in the order of your ids, and a value_map from its pixel values",
        )
    return [row[1] for row in rows]


def _refuse_table(path: Path, names: Sequence[str]) -> None:
    """Raise if the names are rows of a table, or of a file of another kind."""
    what = None
    numbered = [name.split(maxsplit=1) for name in names if name[:1].isdecimal()]
    firsts = {name.rpartition(" ")[0] for name in names}
    lasts = [name.rpartition(" ")[2] for name in names]
    if names and names[0].startswith(("{", "[", "<", "---")):
        what = "is JSON, XML or YAML"
    elif names and path.suffix.lower() in (".json", ".xml", ".yaml", ".yml", ".pbtxt"):
        what = f"is a {path.suffix} file"
    elif any(name.endswith("{") for name in names):
        what = "is a file with braces"
    elif any(name.endswith(":") or name.startswith("- ") for name in names):
        what = "is YAML"
    elif names and names[0].lower().startswith("filename,"):
        what = "is a table of images and their classes"
    elif len(numbered) == len(names) > 1 and all(len(words) == 2 for words in numbered):
        what = "has numbers before the names"
    elif len(firsts) == len(names) > 2 and lasts == [*map(str, range(len(names)))]:
        what = "has numbers behind the names"  # "grade 1" and "grade 2" are names
    elif names and all(re.fullmatch("#[0-9A-Fa-f]{6}", word) for word in lasts):
        what = "has colours that are not written as `road 128 64 128`"
    elif any(name[0] == name[-1] and name[0] in "\"'" for name in names):
        what = "has names in quotation marks"
    elif len(names) == 1 and re.search("[,;\t]", names[0]):
        what = "has all its names on one line"
    for separator, called in _SEPARATORS.items():
        counts = {name.count(separator) for name in names}
        if what is None and len(names) > 1 and len(counts) == 1 and counts != {0}:
            what = f"is a table of columns between {called}"
    if what is not None:
        raise one_problem(path, f"{what}, not a list of class names", _LINES)
