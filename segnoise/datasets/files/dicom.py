"""A series of DICOM files as a volume: sorted by where the slices lie, and nothing missing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.datasets.files.bands import as_type, optional_import
from segnoise.datasets.problems import one_problem
from segnoise.errors import ConfigError

_UNEVEN = 0.01  # how much gaps between slices may differ, relative
_ALIKE = ("Rows", "Columns", "PixelSpacing", "PhotometricInterpretation")


class Series:
    """The slices of a DICOM series, sorted by where they lie."""

    header = None
    unsaid = False

    def __init__(self, path: Path) -> None:
        self.path = path
        slices = self._only_series(self._headers())
        self._check_alike(slices)
        rows, columns = np.array(slices[0].ImageOrientationPatient, float).reshape(2, 3)
        normal = np.cross(rows, columns)
        slices.sort(key=lambda s: float(normal @ np.array(s.ImagePositionPatient, float)))
        places = np.array([s.ImagePositionPatient for s in slices], float)
        self.files = [Path(str(s.filename)) for s in slices]
        step = self._step(places, normal)
        down, across = map(float, slices[0].PixelSpacing)
        affine = np.eye(4)
        # (column, row, slice): a row's number grows along the columns' direction.
        affine[:3] = np.column_stack([rows * across, columns * down, step, places[0]])
        self.affine = np.diag([-1.0, -1, 1, 1]) @ affine  # LPS to RAS
        self.shape = int(slices[0].Columns), int(slices[0].Rows), len(slices)

    def _headers(self) -> list[Any]:
        pydicom = optional_import("pydicom", "medical")
        found = []
        for file in sorted(self.path.iterdir()):
            if not file.is_file() or file.name.startswith(".") or file.name == "DICOMDIR":
                continue
            try:
                header = pydicom.dcmread(file, stop_before_pixels=True)
            except pydicom.errors.InvalidDicomError:
                continue  # a note, a checksum
            except MemoryError:
                raise
            except Exception as error:  # whatever damage leads it to
                raise one_problem(file, f"cannot be read: {error}", "fetch it again") from None
            if "Rows" in header:  # no report, no structure set
                found.append(header)
        if not found:
            raise one_problem(
                self.path, "holds no DICOM image", "give the folder of the files themselves"
            )
        return found

    def _only_series(self, headers: Sequence[Any]) -> list[Any]:
        series: dict[str, list[Any]] = {}
        for header in headers:
            series.setdefault(str(header.get("SeriesInstanceUID")), []).append(header)
        if len(series) > 1:
            said = [
                f"{uid} ({own[0].get('SeriesDescription', 'no description')}, {len(own)} files)"
                for uid, own in series.items()
            ]
            raise one_problem(
                self.path,
                f"holds {len(series)} series: {'; '.join(said[:6])}",
                "move each into a folder of its own, and choose one",
            )
        return list(headers)

    def _check_alike(self, slices: Sequence[Any]) -> None:
        """Raise unless all are single grey slices of one kind and direction."""
        first = slices[0]
        for header in slices:
            file = Path(str(header.filename))
            if int(header.get("NumberOfFrames", 1)) > 1:
                raise one_problem(
                    file, f"holds {header.NumberOfFrames} frames in one file",
                    "convert the series to NIfTI, by dcm2niix",
                )  # fmt: skip
            lacks = [
                tag
                for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
                if not header.get(tag)
            ]
            if lacks:
                raise one_problem(
                    file, f"does not say where it lies: it lacks {', '.join(lacks)}",
                    "take the series as the scanner wrote it, or remove the file",
                )  # fmt: skip
            kind = str(header.get("PhotometricInterpretation"))
            if kind != "MONOCHROME2":
                what = "its numbers are dark where they are high" if kind == "MONOCHROME1" else ""
                raise one_problem(
                    file, f"is {kind}{', ' * bool(what)}{what}",
                    "save it as MONOCHROME2: the greatest number that its bits hold minus each"
                    if what else "take a series of grey slices (MONOCHROME2)",
                )  # fmt: skip
            for tag in _ALIKE:
                if header.get(tag) != first.get(tag):
                    raise one_problem(
                        file,
                        f"has {tag} {header.get(tag)}, {Path(str(first.filename)).name} "
                        f"{first.get(tag)}",
                        "keep slices of one grid in the folder",
                    )
            direction = [np.array(h.ImageOrientationPatient, float) for h in (header, first)]
            if np.abs(direction[0] - direction[1]).max() > 1e-4:
                raise one_problem(
                    file,
                    f"lies in another direction, {direction[0].tolist()}, than "
                    f"{Path(str(first.filename)).name}, {direction[1].tolist()}",
                    "remove localizers from the folder",
                )

    def _step(self, places: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """The way from a slice to the next; raises where slices are missing, double or shifted."""
        if len(places) < 2:
            raise one_problem(
                self.path, "holds one slice, whose thickness does not say how far the next is",
                "give the whole series",
            )  # fmt: skip
        along = places @ normal
        gaps = np.diff(along)
        usual = float(np.median(gaps))
        for n, gap in enumerate(gaps.tolist()):
            one, other = self.files[n].name, self.files[n + 1].name
            where = f"{one} at {along[n]:g} mm and {other} at {along[n + 1]:g} mm"
            if gap < 1e-3:
                raise one_problem(
                    self.path, f"holds two slices at one place: {where}",
                    "keep one of them: they may be of two acquisitions or times",
                )  # fmt: skip
            if abs(gap - usual) > _UNEVEN * usual:
                count = round(gap / usual) - 1
                missing = count > 0 and abs(gap / usual - count - 1) < 0.1
                lacks = f"{count} slice(s) are missing" if missing else "slices are unevenly spaced"
                raise one_problem(
                    self.path, f"{lacks} between {where}; the others are {usual:g} mm apart",
                    "fetch the missing files" if missing else "resample the series to even gaps",
                )  # fmt: skip
        step = np.asarray((places[-1] - places[0]) / (len(places) - 1))
        shift = float(np.linalg.norm(step - normal * (step @ normal)))
        if shift * (len(places) - 1) > 0.1:  # mm from the first slice to the last
            raise one_problem(
                self.path,
                f"each slice is shifted by {shift:.3g} mm within its plane (a tilted gantry)",
                "convert it by dcm2niix, which undoes the tilt",
            )
        return step

    def read(self) -> np.ndarray:
        """Return the real numbers, (column, row, slice)."""
        parts = [self._slice(file) for file in self.files]
        return np.stack(parts).transpose(2, 1, 0)

    def _slice(self, file: Path) -> np.ndarray:
        pydicom = optional_import("pydicom", "medical")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of odd but harmless headers
                header = pydicom.dcmread(file)
                stored = header.pixel_array
        except MemoryError:
            raise
        except Exception as error:  # whatever damage, or a codec that is not there, leads it to
            words = " ".join(str(error).split())
            if "plugin" in words or "missing dependencies" in words:
                kind = header.file_meta.TransferSyntaxUID.name
                raise ConfigError(
                    f"{file}: no reader of {kind} is installed: JPEG 2000 needs pip install "
                    "'segnoise[medical]', other JPEG python-gdcm"
                ) from None
            raise one_problem(file, f"cannot be read: {words[:200]}", "fetch it again") from None
        slope = float(header.get("RescaleSlope", 1))
        intercept = float(header.get("RescaleIntercept", 0))
        if slope == 1 and intercept == round(intercept):
            return real_numbers(stored.astype(np.int64) + round(intercept), file)
        return real_numbers(stored * slope + intercept, file)


def real_numbers(values: np.ndarray, path: Path) -> np.ndarray:
    """Numbers as uint8, uint16 or int16 where they are of a whole type that fits, else float32."""
    if values.dtype.kind == "f":
        if not (finite := np.isfinite(values)).all():
            raise one_problem(
                path,
                f"holds {int((~finite).sum())} voxels that are NaN or infinite",
                "fill them (numpy.nan_to_num)",
            )
        return as_type(values, "float32", path)
    if values.dtype in (np.uint8, np.uint16, np.int16):
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    low, high = int(values.min()), int(values.max())
    fits = [t for t in ("int16", "uint16") if np.iinfo(t).min <= low and high <= np.iinfo(t).max]
    return as_type(values, fits[0] if fits else "float32", path)


def is_dicom(path: Path) -> bool:
    """Return whether a file is a DICOM file, and no list of such."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" and path.name != "DICOMDIR"
