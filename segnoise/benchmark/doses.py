"""Noises at a given dose: calibrated once on each data set, and kept in the benchmark's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segnoise.benchmark.grid import slug
from segnoise.checks import check_integer, check_number
from segnoise.datasets.labels.noisy_labels import built_model
from segnoise.engine import data
from segnoise.engine.resume import comparable
from segnoise.errors import ConfigError, DataError, RecordError
from segnoise.files import write_json
from segnoise.noise import UnreachableDoseError, build_noise, calibrate
from segnoise.noise.building import is_at_hand
from segnoise.noise.calibration import MEASURES
from segnoise.records import as_text, parse, read_record
from segnoise.registry import path_of

_SCHEMA = {
    "request": str, "noise": dict, "measure": str, "target": float, "reached": float, "hit": bool,
}  # fmt: skip


class OutOfReachError(ConfigError):
    """No dose of a noise does what is wanted on a data set."""


def check_dose(wanted: Mapping[str, Any], metainfo: Mapping[str, Any]) -> None:
    """Build a noise with a dose, and check what is wanted of it."""
    model = built_model(wanted["noise"], metainfo)
    _ = model.dose
    check_number("dose", wanted["dose"], above=0, most=1)
    check_integer("sample", wanted.get("sample", 64), 1)
    measure = wanted.get("measure", "pixel_rate")
    if measure not in MEASURES:
        raise ConfigError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")


def dose_file(dataset: str, noise: str) -> str:
    """Where a calibration lies below the benchmark's folder."""
    return f"noises/{slug(dataset)}/{slug(noise)}.json"


def stored_dose(
    folder: Path, dataset: str, noise: str, wanted: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What a calibration has found of the dose that is wanted; None if there was none of it."""
    path = folder / dose_file(dataset, noise)
    found: dict[str, Any] | None = read_record(path, _SCHEMA, optional=True)
    if found is None:
        return None
    try:
        before = parse(found["request"])
        if not isinstance(before, dict):
            raise ValueError("request is no object")
        for kind in _types(found["noise"]) - _types(wanted["noise"]):
            if not is_at_hand({"type": kind}):  # no module is imported because this file names it
                raise ValueError(f"its noise is {kind!r}, which the grid does not name")
        build_noise(found["noise"])
    except (TypeError, ValueError) as error:
        raise RecordError(f"{path}: damaged: {error}; delete it") from error
    now = json.loads(_request(wanted, config))
    return found if _without_places(before) == _without_places(now) else None


def _types(noise: Any) -> set[str]:
    """All types in a noise's config; classes by their dotted paths."""
    if isinstance(noise, (list, tuple)):
        return set().union(*map(_types, noise))
    if not isinstance(noise, Mapping):
        return set()
    own = {noise["type"]} if "type" in noise else set()
    below = set().union(*map(_types, noise.values()))
    return {kind if isinstance(kind, str) else path_of(kind) for kind in own} | below


def _request(wanted: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """All that a calibration depends on."""
    keys = ("train_data", "data_root", "noise_seed")
    asked = {**dict(wanted), **{key: config[key] for key in keys}}
    return as_text(asked)


def _without_places(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request that does not care where the data lie."""
    return {key: comparable(value) for key, value in request.items() if key != "data_root"}


def calibrated(
    folder: Path, dataset: str, noise: str, wanted: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Any]:
    """The noise at its dose, from the benchmark's folder or found now and put there.

    ``wanted`` is dict(dose, noise), with measure ("pixel_rate") and sample (64 masks) if given.
    """
    stored = stored_dose(folder, dataset, noise, wanted, config)
    if stored:
        return stored
    clean = data.build_dataset(config, "train_data")
    measure = wanted.get("measure", "pixel_rate")
    try:
        model = built_model(wanted["noise"], clean.metainfo)
        found = calibrate(
            model, clean, wanted["dose"], measure, config["noise_seed"],
            sample=wanted.get("sample", 64),
        )  # fmt: skip
    except UnreachableDoseError as error:
        raise OutOfReachError(f"noises.{noise} on {dataset}: {error}") from error
    except DataError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"noises.{noise} on {dataset}: {error}") from error
    result = {
        "request": _request(wanted, config),
        "noise": found.noise.to_dict(),
        "measure": measure,
        "target": found.target,
        "reached": found.reached,
        "hit": found.hit,
    }
    write_json(folder / dose_file(dataset, noise), result)
    return result
