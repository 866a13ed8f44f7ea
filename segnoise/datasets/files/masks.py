"""Read a mask file as class ids, whatever way the file writes them."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segnoise.checks import check_choice
from segnoise.datasets.files.images import load_picture, stored_numbers
from segnoise.datasets.files.palettes import Color, Palette
from segnoise.datasets.problems import one_problem
from segnoise.errors import ConfigError

ValueMap = Mapping[int, int] | Mapping[str, int]

BLACK_AND_WHITE = "if the masks are black and white (0/255), give"  # and how
# What a picture is that holds no ids, by Pillow's mode.
_NO_IDS = {"F": "holds floating-point numbers", "LA": "is a grey image with transparency"}


class MaskReader:
    """Reads masks as (H, W) class ids and refuses labels that the set does not have.

    Args:
        num_classes: K; ids are 0..K-1.
        mask_format: How the file writes a pixel's class. `"ids"`: the stored number is the id,
            be it a grey value (1 to 32 bits) or a palette index. `"palette"`: the same, but only
            files with a palette are accepted, so that a palette mask that some tool turned into
            grey is not mistaken for ids. `"rgb"`: a colour, looked up in `colors`.
        value_map: File value -> class id (or `ignore_index`), for `"ids"` and `"palette"`. It
            lists every value that may occur: `{0: 0, 255: 1}` for black-and-white masks.
            Without one a file's 255 is void: a 0/255 mask would read as background and void.
        colors: (r, g, b) -> class id (or `ignore_index`), for `"rgb"`. Several colours may share
            an id.
        ignore_index: The id of void, outside 0..K-1.
        remedy: What to do about a label out of range, where the caller knows better.

    Attributes:
        dtype: Of the masks: uint8, or uint16 if an id or void exceeds 255.
        value_map: As given, with integer keys; None without one.
        labels: File value -> class id: `value_map`, or each id for itself.
        colors: ((r, g, b), class id) pairs in the order given; None without them.

    Raises:
        ConfigError: If an argument is unknown, out of range, or has no meaning for the format.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        mask_format: str = "ids",
        value_map: ValueMap | None = None,
        colors: Mapping[Color, int] | None = None,
        ignore_index: int = 255,
        remedy: str | None = None,
    ) -> None:
        check_choice("mask_format", mask_format, ("ids", "palette", "rgb"))
        if not 0 <= ignore_index <= 65535 or ignore_index < num_classes:
            raise ConfigError(
                f"ignore_index={ignore_index} must lie in {num_classes}..65535, outside the "
                f"{num_classes} class ids"
            )
        if mask_format == "rgb" and (colors is None or value_map is not None):
            raise ConfigError("mask_format='rgb' needs a colour table and takes no value_map")
        if mask_format != "rgb" and colors is not None:
            raise ConfigError(f"a colour table has no meaning with mask_format={mask_format!r}")
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.mask_format = mask_format
        self.dtype = np.uint8 if max(num_classes - 1, ignore_index) <= 255 else np.uint16
        self._remedy = remedy
        self.value_map = None if value_map is None else self._checked(value_map)
        self.colors = None if colors is None else tuple(colors.items())
        if colors is not None:
            self._check_targets(colors)
        same = {label: label for label in (*range(num_classes), ignore_index)}
        self.labels = same if self.value_map is None else self.value_map
        self._table, self._bad = self._make_table()

    def __call__(self, path: str | Path) -> np.ndarray:
        """Return the (H, W) ids of one mask, of the type `dtype`.

        Raises:
            DatasetError: If the file cannot be read, has colour where ids are expected, or holds
                a label that the set does not have.
        """
        if self.colors is not None:
            return self._read_colors(path, self.colors)
        return self.ids_of(self._read_stored(path), path)

    def number_of(self, label: int, kind: np.dtype[Any], path: str | Path, void: Any = None) -> Any:
        """Return the first number that stands for a class id in a file of a type of numbers.

        `void` is what stands for void there, if it is not what the reader knows.

        Raises:
            DatasetError: If there is none, or the type does not hold it.
        """
        known = next((value for value, found in self.labels.items() if found == label), None)
        value = void if label == self.ignore_index and void is not None else known
        if value is not None and np.array(value).astype(kind) == value:
            return value
        what = "void" if label == self.ignore_index else f"class {label}"
        why, remedy = f"{kind} does not hold {value}", "save the labels with more bits"
        if value is None:
            why, remedy = "value_map has no value", "add one to value_map, or take another noise"
        raise one_problem(path, f"{why} for {what}, which the noise makes", remedy)

    def ids_of(self, stored: np.ndarray, path: str | Path) -> np.ndarray:
        """Return the class ids of the (H, W) numbers of a file."""
        if self.value_map is None and stored.dtype == np.uint8 and self.ignore_index == 255:
            # Void wraps to 0 and K-1 becomes K: one pass tells whether all labels are in range.
            if self.num_classes < 255 and (stored + np.uint8(1)).max() > self.num_classes:
                raise self._unknown(path, stored, self._table[stored] == self._bad)
            return stored
        if stored.dtype == np.uint8:
            mask = np.asarray(cv2.LUT(stored, self._table[:256]))
        elif stored.dtype == np.uint16:
            mask = self._table[stored]
        else:
            mask = self._look_up(stored)
        bad = mask == self._bad
        if bad.any():
            raise self._unknown(path, stored, bad)
        return mask if mask.dtype == self.dtype else mask.astype(self.dtype)

    def _read_stored(self, path: str | Path) -> np.ndarray:
        """Return the numbers in the file, of any integer type."""
        picture, raw_mode = load_picture(path)
        if self.mask_format == "palette" and picture.mode != "P":
            raise one_problem(
                path,
                f"has no palette (Pillow mode {picture.mode})",
                "use mask_format='ids' if its grey values are class ids",
            )
        if picture.mode == "1":
            return np.array(picture).astype(np.uint8)
        if picture.mode in ("L", "P", "I") or picture.mode.startswith("I;16"):
            return stored_numbers(picture, raw_mode)
        what, remedy = "is a colour image", "use mask_format='rgb' with a colour table, or "
        if picture.mode in _NO_IDS:
            what, remedy = _NO_IDS[picture.mode], ""
        raise one_problem(
            path,
            f"{what} (Pillow mode {picture.mode}), not class ids",
            f"{remedy}save the ids as 8- or 16-bit grey PNG",
        )

    def _read_colors(self, path: str | Path, colors: tuple[tuple[Color, int], ...]) -> np.ndarray:
        picture, _ = load_picture(path)
        if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
            raise one_problem(
                path,
                f"is no RGB image (Pillow mode {picture.mode})",
                "use mask_format='ids' if its grey values are class ids",
            )
        rgb = np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))
        wide = rgb.astype(np.int32)
        found: np.ndarray = _color_table(colors)[
            wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
        ]
        if not found.all():
            row, column = np.unravel_index(np.argmin(found), found.shape)
            color = tuple(rgb[row, column].tolist())
            raise one_problem(
                path,
                f"colour {color} at row {row}, column {column} is not in the colour table of "
                f"{len(colors)} colours{_lossy(path)}",
                f"add {color} with its class id, or {self.ignore_index} for void, to the table",
            )
        return (found - 1).astype(self.dtype)

    def _make_table(self) -> tuple[np.ndarray, int]:
        """Return the table from stored value to id, and the entry that marks unknown values."""
        narrow = 255 if self.ignore_index != 255 else 254
        wide = 65535 if self.ignore_index != 65535 else 65534
        fits = self.dtype == np.uint8 and self.num_classes <= narrow
        bad = narrow if fits else wide
        table = np.full(65536, bad, np.uint8 if fits else np.uint16)
        for value, label in self.labels.items():
            if 0 <= value <= 65535:
                table[value] = label
        return table, bad

    def _look_up(self, stored: np.ndarray) -> np.ndarray:
        """Return the ids of numbers that may be negative, or more than the table holds."""
        values, places = np.unique(stored, return_inverse=True)
        labels = [self.labels.get(value, self._bad) for value in values.tolist()]
        return np.array(labels, self._table.dtype)[places].reshape(stored.shape)

    def _checked(self, value_map: ValueMap) -> dict[int, int]:
        """Return the map with integer keys: JSON and command lines write them as text."""
        try:
            pairs = value_map.items()
            checked = {_whole(value): _whole(label) for value, label in pairs}
        except (AttributeError, TypeError, ValueError):
            raise ConfigError(
                f"value_map={value_map!r} must map whole numbers to class ids, such as "
                "{0: 0, 255: 1}"
            ) from None
        if len(checked) < len(value_map):
            raise ConfigError(f"value_map={value_map!r} names a file value twice")
        if not checked:
            raise ConfigError("value_map is empty: give the class id of every value in the files")
        self._check_targets(checked)
        return checked

    def _check_targets(self, table: Mapping[int, int] | Mapping[Color, int]) -> None:
        for source, label in table.items():
            if not 0 <= label < self.num_classes and label != self.ignore_index:
                raise ConfigError(
                    f"{source} -> {label}: class ids are 0..{self.num_classes - 1}, void is "
                    f"{self.ignore_index}"
                )

    def _unknown(self, path: str | Path, stored: np.ndarray, bad: np.ndarray) -> Exception:
        row, column = np.unravel_index(np.argmax(bad), bad.shape)
        value = int(stored[row, column])
        others = [int(v) for v in np.unique(stored[bad]) if v != value]
        shown = ", ".join(map(str, others[:4])) + "..." * (len(others) > 4)
        also = f" (also {shown})" if others else ""
        if self.value_map is not None:
            return one_problem(
                path,
                f"value {value} at row {row}, column {column}{also} is not in value_map "
                f"{_brief(self.value_map)}{_lossy(path)}",
                self._remedy
                or f"add {value}: its class id, or {value}: {self.ignore_index} for void",
            )
        return one_problem(
            path,
            f"label {value} at row {row}, column {column}{also} in a {self.num_classes}-class set"
            f"{_lossy(path)}",
            self._remedy
            or f"labels are 0..{self.num_classes - 1} and {self.ignore_index} for void: mend the "
            f"mask, extend classes, or give the class id of every value: value_map="
            f"{{{self._as_it_is()}, {value}: <class id>}}",
        )

    def _as_it_is(self) -> str:
        """Return the entries of a value_map that changes nothing."""
        shown = [f"{label}: {label}" for label in self.labels]
        return ", ".join(shown if len(shown) <= 8 else [*shown[:2], "...", *shown[-2:]])


def parse_colors(
    color_table: Mapping[Color | str, int] | None, palette: Palette
) -> dict[Color, int]:
    """Return a colour table with (r, g, b) keys; by default class i has the palette's colour i.

    Example:
        >>> parse_colors({"#ff8000": 1, (0, 0, 0): 0}, ())
        {(255, 128, 0): 1, (0, 0, 0): 0}
    """
    if color_table is None:
        if len(set(palette)) < len(palette):
            raise ConfigError(
                f"palette {palette} gives two classes one colour: masks are ambiguous"
            )
        return {color: index for index, color in enumerate(palette)}
    colors: dict[Color, int] = {}
    if not isinstance(color_table, Mapping):
        raise ConfigError(
            f"color_table={color_table!r} must map colours to class ids, such as {{'#ff8000': 1}}"
        )
    for key, label in color_table.items():
        try:
            channels = bytes.fromhex(key.lstrip("#")) if isinstance(key, str) else bytes(key)
            red, green, blue = channels
        except (TypeError, ValueError):
            raise ConfigError(
                f"colour {key!r} must be three numbers in 0..255 or text like '#ff8000'"
            ) from None
        try:
            colors[red, green, blue] = _whole(label)
        except (TypeError, ValueError):
            raise ConfigError(f"color_table: {key!r} -> {label!r} is no class id") from None
    return colors


@lru_cache(maxsize=4)
def _color_table(colors: tuple[tuple[Color, int], ...]) -> np.ndarray:
    """Return id + 1 for each of the 2^24 colours, 0 where there is none.

    The zeros are never touched, so only the few pages that hold colours take memory.
    """
    table = np.zeros(1 << 24, np.int32)
    for (red, green, blue), label in colors:
        table[red << 16 | green << 8 | blue] = label + 1
    return table


def _whole(number: object) -> int:
    """Return a whole number; JSON and command lines write keys as text."""
    return int(number) if isinstance(number, str) else operator.index(number)  # type: ignore[arg-type]


def _lossy(path: str | Path) -> str:
    is_jpeg = Path(path).suffix.lower() in (".jpg", ".jpeg")
    return " (JPEG invents values: save masks as PNG)" if is_jpeg else ""


def _brief(value_map: Mapping[int, int]) -> str:
    return str(dict(value_map)) if len(value_map) <= 8 else f"of {len(value_map)} values"
