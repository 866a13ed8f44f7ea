"""Read the JSON files that segnoise has written, whatever has become of them since.

A schema says what a value must be:

=================  ====================================================================
``{"a": x}``       an object with an ``a`` that fits ``x``; ``"a?"`` may be missing.
                   More keys are passed over: a later version may have written them.
``[x]``            a list whose entries fit ``x``
``(x, y)``         a list of two entries that fit ``x`` and ``y``
``float``          a number that is finite; ``int`` a whole one (a bool is neither)
another class      an instance of it; ``object`` is anything
:class:`Each`      an object whose values all fit a schema
:class:`Maybe`     null, or what fits a schema
:class:`Within`    a number between two others
:class:`OneOf`     one of some values
=================  ====================================================================
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnoise.errors import RecordError

Schema = Any
_DEEPEST = 100  # nested lists and objects; ours have ten
_GREATEST = 2**63 - 1
_KINDS = {
    int: "a whole number", float: "a number", str: "a text", bool: "true or false",
    dict: "an object", list: "a list",
}  # fmt: skip


@dataclass(frozen=True)
class Each:
    """An object whose values all fit a schema; with ``keys``, whose keys are of that type."""

    values: Schema
    keys: type = str


@dataclass(frozen=True)
class Maybe:
    """Null, or what fits a schema."""

    value: Schema


@dataclass(frozen=True)
class Within:
    """A number from ``low`` to ``high``; a whole one where ``kind`` is int."""

    low: float
    high: float = math.inf
    kind: type = int


@dataclass(frozen=True)
class OneOf:
    """One of some values."""

    values: tuple[Any, ...]


def read_record(
    path: str | Path,
    schema: Schema,
    remedy: str = "delete it, and run the same command again",
    *,
    optional: bool = False,
) -> Any:
    """Read a JSON file and check it against a schema.

    Args:
        path: of the file.
        schema: see the module's table.
        remedy: what the error tells the user to do.
        optional: a missing file is None.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")
        value = parse(path.read_bytes())
        if fault := find_fault(value, schema):
            raise ValueError(fault)
    except FileNotFoundError:
        if optional:
            return None
        raise RecordError(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except ValueError as error:
        raise RecordError(f"{path}: damaged: {error}; {remedy}") from None
    return value


def as_text(value: Any) -> str:
    """Return a config or the like as JSON, with sorted keys and what JSON has not as a text.

    A colour that is a key becomes the text that a ``color_table`` takes as well.

    Example:
        >>> as_text({"value_map": {255: 1, "0": 0}, "color_table": {(255, 128, 0): 1}})
        '{"color_table": {"#ff8000": 1}, "value_map": {"0": 0, "255": 1}}'
    """
    return json.dumps(_with_texts(value), sort_keys=True, default=str)


def _with_texts(value: Any) -> Any:
    """A value whose mappings have texts as keys."""
    if isinstance(value, Mapping):
        return {_key(key): _with_texts(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_texts(item) for item in value]
    return value


def _key(key: Any) -> str:
    if isinstance(key, tuple) and len(key) == 3:
        with contextlib.suppress(TypeError, ValueError):  # no colour
            return f"#{bytes(key).hex()}"
    return str(key)


def read_lines(path: str | Path, schema: Schema) -> Iterator[tuple[str, Any]]:
    """Yield the lines of a file and the JSON in each; None for one that is damaged.

    A kill may cut the last line. Nothing is yielded where there is no file.

    Raises:
        RecordError: if the file cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        return
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None
    for line in lines:
        try:
            value = parse(line)
        except ValueError:
            value = None
        fits = value is not None and find_fault(value, schema) is None
        yield line.decode("utf-8", "replace"), value if fits else None


def parse(content: bytes | str) -> Any:
    """Return what JSON says, refusing what Python's reader takes and no one expects.

    Raises:
        ValueError: for what is not UTF-8 or no JSON, NaN, infinity, numbers that no machine has,
            a key that is there twice, or lists and objects that are nested too deeply.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        value = json.loads(
            text,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_not_json,
            object_pairs_hook=_once_each,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON ({error})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    check_depth(value)
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} is there twice")
    return found


def check_depth(value: Any) -> None:
    """Raise a ValueError if lists and objects are nested deeper than any of ours."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            child
            for each in level
            if isinstance(each, (Mapping, list, tuple))
            for child in (each.values() if isinstance(each, Mapping) else each)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")


def _whole(text: str) -> int:
    if len(text) > 20 or abs(int(text)) > _GREATEST:
        raise ValueError(f"{text[:25]}... is too great a number")
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:25]} is too great a number")
    return value


def _not_json(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def find_fault(value: Any, schema: Schema, place: str = "") -> str | None:
    """Return in words where a value does not fit a schema; None if it does."""
    if isinstance(schema, Maybe):
        return None if value is None else find_fault(value, schema.value, place)
    if isinstance(schema, OneOf):
        known = " or ".join(map(_shown, schema.values))
        return None if value in schema.values else _fault(value, known, place)
    if isinstance(schema, Within):
        fits = _is(value, schema.kind) and schema.low <= value <= schema.high
        most = "" if schema.high == math.inf else f" to {schema.high:g}"
        return (
            None
            if fits
            else _fault(value, f"{_KINDS[schema.kind]} from {schema.low:g}{most}", place)
        )
    if isinstance(schema, (dict, Each)):
        if not isinstance(value, Mapping):
            return _fault(value, _KINDS[dict], place)
        return _fault_within(value, schema, place)
    if isinstance(schema, (list, tuple)):
        if not isinstance(value, (list, tuple)):
            return _fault(value, _KINDS[list], place)
        if isinstance(schema, tuple) and len(value) != len(schema):
            return _fault(value, f"a list of {len(schema)}", place)
        each: Sequence[Schema] = schema if isinstance(schema, tuple) else schema * len(value)
        faults = (
            find_fault(item, inner, _below(place, number))
            for number, (item, inner) in enumerate(zip(value, each, strict=True))
        )
        return next(filter(None, faults), None)
    return None if _is(value, schema) else _fault(value, _KINDS.get(schema, schema.__name__), place)


def _fault_within(
    value: Mapping[Any, Any], schema: dict[str, Schema] | Each, place: str
) -> str | None:
    if isinstance(schema, Each):
        for key, item in value.items():
            if not isinstance(key, schema.keys):
                return _fault(key, f"{_KINDS.get(schema.keys)}, as a key is", place)
            if fault := find_fault(item, schema.values, _below(place, key)):
                return fault
        return None
    for name, inner in schema.items():
        key = name.removesuffix("?") if isinstance(name, str) else name
        if key not in value:
            if key == name:
                return f"{_below(place, key)} is missing"
        elif fault := find_fault(value[key], inner, _below(place, key)):
            return fault
    return None


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return _is(value, int) or (isinstance(value, float) and math.isfinite(value))
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _fault(value: Any, wanted: str, place: str) -> str:
    return f"{place or 'it'} is {_shown(value)}, not {wanted}"


def _below(place: str, key: Any) -> str:
    return f"{place}.{str(key)[:60]}" if place else str(key)[:60]


def _shown(value: Any) -> str:
    """The start of a value as JSON has it, on one line."""
    if isinstance(value, Mapping):
        return "an object" if value else "{}"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, (bool, int, float, str)):
        text = json.dumps(value)
        return text if len(text) <= 40 else text[:37] + "..."
    return f"a {type(value).__name__}"
