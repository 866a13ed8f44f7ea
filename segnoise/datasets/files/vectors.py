"""Outlines on a map as labels: GeoJSON, GeoPackage and what else GDAL reads, burnt by windows."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.files.bands import optional_import
from segnoise.datasets.files.scenes import Scene, on_map
from segnoise.datasets.problems import DatasetError, one_problem

SUFFIXES = (".geojson", ".json", ".gpkg", ".shp", ".fgb")


class Outlines:
    """The outlines of a file in the coordinates of a raster, with the class of each.

    Args:
        path: The file.
        like: The raster that they lie on.
        classes: Class names.
        attribute: What of an outline says its class; None if all are of the last of two classes.
        value_map: Value of the attribute -> class id; None where the values are class names or ids.
        crs: What the coordinates are in, such as "EPSG:32616", or "image" for the raster's; None
            for what the file says, which without a word is longitude and latitude in GeoJSON.
        background: Class id of what no outline covers.

    Raises:
        DatasetError: If the file cannot be read, an outline has no class, or none meets the raster.
    """

    def __init__(
        self,
        path: Path,
        like: Scene,
        classes: Sequence[str],
        *,
        attribute: str | None = None,
        value_map: Mapping[Any, int] | None = None,
        crs: str | None = None,
        background: int = 0,
    ) -> None:
        self.path = path
        self._background = background
        self._transform = like.place["transform"]
        outlines, properties, own_crs, said = _read(path)
        there = like.place["crs"]
        if outlines and there is None and like.place["gcps"]:
            raise one_problem(
                like.path, "has ground control points in place of a grid, on which outlines lie",
                "warp it (gdalwarp)",
            )  # fmt: skip
        if attribute is None and len(classes) != 2:
            raise one_problem(
                path,
                f"its outlines could be of any of {len(classes)} classes",
                "say by attribute= which property names the class",
            )
        ids = [
            1 if attribute is None else self._class_of(one, attribute, classes, value_map, number)
            for number, one in enumerate(properties)
        ]
        if crs is not None:
            own_crs = there if crs == "image" else _crs(crs, path)
        moved, why = outlines, ""
        if own_crs is not None and there is not None and own_crs != there:
            moved, why = _moved(outlines, own_crs, there)
        bounds = [_bounds(outline) for outline in moved]
        if outlines and not _meet(bounds, like):
            hint = "check that the two belong together"
            if crs is None and not said and _meet([_bounds(one) for one in outlines], like):
                hint = "its coordinates are the raster's own: give label_crs='image'"
            it = (
                "its outlines" if said else "has no crs, and as longitude and latitude its outlines"
            )
            raise one_problem(path, f"{it} cover nothing of {like.path}{why}", hint)
        self._shapes = list(zip(moved, ids, strict=True))
        self._bounds = np.array(bounds, float).reshape(-1, 4)

    def __len__(self) -> int:
        return len(self._shapes)

    def _class_of(
        self,
        properties: Mapping[str, Any],
        attribute: str,
        classes: Sequence[str],
        value_map: Mapping[Any, int] | None,
        number: int,
    ) -> int:
        value = properties.get(attribute)
        if value_map is not None and isinstance(value, Hashable) and value in value_map:
            return int(value_map[value])
        if value_map is None and isinstance(value, str) and value in classes:
            return list(classes).index(value)
        if value_map is None and type(value) is int and 0 <= value < len(classes):
            return value
        known = ", ".join(map(repr, value_map if value_map is not None else classes))
        has = f"{attribute}={value!r}" if attribute in properties else f"no {attribute!r}"
        raise one_problem(
            self.path,
            f"outline {number} has {has}; known are {known}",
            "name it in value_map, or mend the file",
        )

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Burn a part of the raster: (h, w) class ids; later outlines lie over earlier ones.

        A pixel is of an outline if its centre is inside.
        """
        features = optional_import("rasterio.features", "geo")
        rasterio = optional_import("rasterio", "geo")
        shape = rows.stop - rows.start, columns.stop - columns.start
        corners = [
            on_map(self._transform, x, y)
            for x in (columns.start, columns.stop)
            for y in (rows.start, rows.stop)
        ]
        left, top = np.min(corners, 0)
        right, bottom = np.max(corners, 0)
        near = (
            (self._bounds[:, 0] <= right) & (self._bounds[:, 2] >= left)
            & (self._bounds[:, 1] <= bottom) & (self._bounds[:, 3] >= top)
        )  # fmt: skip
        chosen = [self._shapes[index] for index in np.flatnonzero(near)]
        if not chosen:
            return np.full(shape, self._background, np.int32)
        a, b, _, d, e, _ = tuple(self._transform)[:6]
        left, top = on_map(self._transform, columns.start, rows.start)
        transform = rasterio.Affine(a, b, left, d, e, top)
        burnt: np.ndarray = features.rasterize(
            chosen, shape, fill=self._background, transform=transform, dtype="int32"
        )
        return burnt


def _moved(outlines: list[Any], source: Any, target: Any) -> tuple[list[Any], str]:
    """Outlines in another coordinate system; or none, and in words why not."""
    warp = optional_import("rasterio.warp", "geo")
    try:
        return list(warp.transform_geom(source, target, outlines)) if outlines else [], ""
    except MemoryError:
        raise
    except Exception as error:  # rasterio shows GDAL's own errors, which have no common base
        return [], f" ({' '.join(str(error).split())})"


def _read(path: Path) -> tuple[list[Any], list[Mapping[str, Any]], Any, bool]:
    """Geometries, properties, coordinate system, and whether the file says which that is."""
    if path.suffix.lower() in (".geojson", ".json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
            found = [f for f in content["features"] if _covers(path, f.get("geometry"))]
            said = (content.get("crs") or {}).get("properties", {}).get("name")
            outlines = [feature["geometry"] for feature in found]
            properties = [feature.get("properties") or {} for feature in found]
        except DatasetError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise one_problem(path, f"is no GeoJSON: {error!r:.200}", "export it again") from None
        return outlines, properties, _crs(said or "EPSG:4326", path), said is not None
    pyogrio, shapely = optional_import("pyogrio.raw", "geo"), optional_import("shapely", "geo")
    pyogrio_layers = optional_import("pyogrio", "geo").list_layers
    try:
        layers = [name for name, kind in pyogrio_layers(path) if kind is not None]
        if len(layers) > 1:
            raise one_problem(
                path, f"holds {len(layers)} layers of outlines: {', '.join(layers)}",
                "save the one that holds the labels as a file of its own (ogr2ogr)",
            )  # fmt: skip
        meta, _, wkb, columns = pyogrio.read(path, layer=layers[0] if layers else None)
        found = [shapely.geometry.mapping(one) if one else None for one in shapely.from_wkb(wkb)]
    except (DatasetError, MemoryError):
        raise
    except Exception as error:  # whatever GDAL says
        words = " ".join(str(error).split())
        raise one_problem(path, f"cannot be read: {words}", "export it again") from None
    kept = [index for index, one in enumerate(found) if _covers(path, one)]
    outlines = [found[index] for index in kept]
    names = [str(name) for name in meta["fields"]]
    properties = [
        {name: _plain(column[index]) for name, column in zip(names, columns, strict=True)}
        for index in kept
    ]
    crs = meta.get("crs")
    return outlines, properties, _crs(crs, path) if crs else None, crs is not None


def _covers(path: Path, outline: Any) -> bool:
    """Whether a geometry is an area; False where it is empty.

    Raises:
        DatasetError: If it is of another kind, or its coordinates are no numbers.
    """
    if not outline:
        return False
    kind = outline.get("type")
    if kind == "GeometryCollection":
        return any([_covers(path, one) for one in outline["geometries"]])
    if kind not in ("Polygon", "MultiPolygon"):
        raise one_problem(
            path, f"holds a {kind}, which covers no area", "drop it, or draw a polygon (a buffer)"
        )
    polygons = outline["coordinates"] if kind == "MultiPolygon" else [outline["coordinates"]]
    try:
        rings = [np.asarray(ring, float)[:, :2] for polygon in polygons for ring in polygon]
        finite = all(np.isfinite(ring).all() for ring in rings)
    except (ValueError, TypeError, IndexError):
        finite = False
    if not finite:
        raise one_problem(path, f"holds a {kind} without numbers", "export it again")
    return any(len(ring) > 2 for ring in rings)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _crs(text: str, path: Path) -> Any:
    crs = optional_import("rasterio.crs", "geo")
    try:
        return crs.CRS.from_user_input(text)
    except Exception as error:
        raise one_problem(
            path, f"{text!r} names no coordinate system ({error})", "give label_crs='EPSG:<number>'"
        ) from None


def _bounds(outline: Mapping[str, Any]) -> tuple[float, float, float, float]:
    features = optional_import("rasterio.features", "geo")
    left, bottom, right, top = features.bounds(outline)
    return left, min(bottom, top), right, max(bottom, top)


def _meet(bounds: Sequence[tuple[float, float, float, float]], like: Scene) -> bool:
    left, bottom, right, top = like.bounds
    return any(b[0] <= right and b[2] >= left and b[1] <= top and b[3] >= bottom for b in bounds)
