"""Volumes of NIfTI files and DICOM series: slices of one plane, with their place in the patient."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.checks import check_choice
from segnoise.datasets.files.bands import optional_import
from segnoise.datasets.files.dicom import Series, is_dicom, real_numbers
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.problems import DatasetError, one_problem
from segnoise.errors import DataError
from segnoise.files import replacing, user_path

NIFTI = (".nii", ".nii.gz")
"""Ends of files that are volumes."""
PLANES = {"axial": "SPL", "coronal": "PIL", "sagittal": "LIP"}
"""Plane of the slices -> where slices, rows and columns go: (S)uperior, (P)osterior, (L)eft ..."""

_WHOLE = 1e-3  # how far a label may be from a whole number
_APART = 1e-3  # how far apart corners of an image and its labels may be, in the least spacing


class Volume:
    """A NIfTI file, or the folder of a DICOM series, turned so that its slices lie in one plane.

    The header is read at once, the numbers by `read`. Slices, rows and columns go where `PLANES`
    says, whatever the order in the file: pictures are upright, and all cases alike. The turn only
    swaps and flips axes; `write_volume` undoes it.

    Args:
        path: A .nii or .nii.gz file, or a folder of DICOM files.
        plane: "axial", "coronal" or "sagittal".

    Attributes:
        shape: (D, H, W): slices, rows, columns.
        affine: (4, 4) from (slice, row, column) to millimetres, RAS: right, anterior, superior.
        spacing: Millimetres between slices, rows and columns.
        stored_axes: Where the axes go in the file, such as "RAS"; "LAS, unsaid" where a NIfTI file
            has neither sform nor qform, and the oldest custom is taken.

    Raises:
        DatasetError: If it cannot be read, holds more than one volume, or slices are missing.
        ConfigError: If the reader of such files is not installed.
    """

    def __init__(self, path: str | Path, plane: str = "axial") -> None:
        check_choice("plane", plane, PLANES)
        self.path, self.plane = user_path(path), plane
        self._stored = Series(self.path) if self.path.is_dir() else _Nifti(self.path)
        orientations = optional_import("nibabel.orientations", "medical")
        shape, affine = self._stored.shape, self._stored.affine
        if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise one_problem(
                self.path,
                f"its affine maps voxels to no place: {affine[:3].tolist()}",
                "export it again with its orientation",
            )
        self._turn = orientations.ornt_transform(
            orientations.io_orientation(affine), orientations.axcodes2ornt(PLANES[plane])
        )
        codes = orientations.aff2axcodes(affine)
        self.stored_axes = "".join(codes) + (", unsaid" if self._stored.unsaid else "")
        places = self._turn[:, 0].astype(int)
        self.shape: tuple[int, ...] = tuple(int(shape[places.tolist().index(n)]) for n in range(3))
        self.affine = np.asarray(affine @ orientations.inv_ornt_aff(self._turn, shape))
        sides = np.linalg.norm(self.affine[:3, :3], axis=0)
        self.spacing: tuple[float, ...] = tuple(float(side) for side in sides)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        return f"Volume({str(self.path)!r}, {shape}, {self.plane})"

    def read(self) -> np.ndarray:
        """Return the real numbers, rescaled as the file says, (D, H, W).

        They are uint8, uint16 or int16 if all are whole and the file holds such, else float32.

        Raises:
            DatasetError: If the file is damaged, or holds NaN or what is no number.
        """
        orientations = optional_import("nibabel.orientations", "medical")
        return np.ascontiguousarray(orientations.apply_orientation(self._stored.read(), self._turn))

    @property
    def label_type(self) -> np.dtype[Any]:
        """The type in which the file stores its numbers, in this machine's order of bytes."""
        header = self._stored.header
        kind = np.dtype(np.int16) if header is None else header.get_data_dtype()
        return np.dtype(kind).newbyteorder("=")

    def read_labels(self) -> np.ndarray:
        """Return whole numbers, (D, H, W), of any integer type.

        Raises:
            DatasetError: If one is no whole number to 1e-3.
        """
        values = self.read()
        if values.dtype.kind in "ui":
            return values
        whole = np.rint(values)
        if (wrong := np.abs(values - whole) > _WHOLE).any():
            raise one_problem(
                self.path,
                f"holds {values[wrong][0]:g} at {int(wrong.sum())} of {wrong.size} voxels, which "
                "is no label",
                "give it whole numbers: resample labels by the nearest neighbor",
            )
        return whole.astype(np.int32)


def thickest_plane(volumes: Sequence[Volume]) -> str:
    """Return the plane whose slices lie farthest apart in most volumes; axial where all are even.

    Raises:
        DatasetError: If one cannot be read.
    """
    votes = dict.fromkeys(PLANES, 0)
    for volume in volumes:
        sides = dict(zip(_axes(volume.plane), volume.spacing, strict=True))
        apart = {plane: round(sides[_axes(plane)[0]], 3) for plane in PLANES}
        votes[max(apart, key=lambda plane: apart[plane])] += 1
    return max(votes, key=lambda plane: votes[plane])


def _axes(plane: str) -> str:
    """The axes that slices, rows and columns go along, whichever way."""
    return PLANES[plane].translate(str.maketrans("IAR", "SPL"))


def check_grids(image: Volume, labels: Volume) -> None:
    """Raise unless labels lie on their image, voxel by voxel.

    Raises:
        DatasetError: If they differ in shape, or a corner lies more than a thousandth of the
            least spacing elsewhere.
    """
    if image.shape != labels.shape:
        raise one_problem(
            labels.path,
            f"labels are {_times(labels.shape)} voxels ({labels.plane}), image {image.path} "
            f"{_times(image.shape)}",
            "resample the labels to the image's grid by the nearest neighbor",
        )
    corners = np.array(
        [[*np.multiply(c, np.subtract(image.shape, 1)), 1] for c in np.ndindex(2, 2, 2)]
    )
    apart = np.abs((image.affine - labels.affine)[:3] @ corners.T).max()
    if apart > _APART * min(image.spacing):
        one, other = (_rounded(volume.affine) for volume in (labels, image))
        raise one_problem(
            labels.path,
            f"lies up to {apart:.4g} mm beside its image {image.path}: affine {one}, there {other}",
            "resample the labels to the image's grid, or, if they belong together as they are, "
            "give them the image's affine (nibabel.Nifti1Image(labels, image.affine))",
        )


def write_volume(path: str | Path, values: np.ndarray, like: Volume) -> None:
    """Write numbers as NIfTI in the place of another volume, with its axes, affine and header.

    Args:
        path: A .nii or .nii.gz file; it appears when it is whole.
        values: (D, H, W) uint8, uint16, int16 or float32, or (D, H, W, K).
        like: The volume that they are of.

    Raises:
        DataError: If the shape is not that of the volume.
    """
    if values.shape[:3] != like.shape:
        raise DataError(f"{path}: {values.shape} numbers for a volume of {like.shape}")
    with replacing(path) as temporary:
        temporary.write_bytes(_content(values, like, str(path).lower().endswith(".gz")))


def _content(values: np.ndarray, like: Volume, packed: bool) -> bytes:
    """The bytes of a NIfTI file."""
    nibabel = optional_import("nibabel", "medical")
    orientations = optional_import("nibabel.orientations", "medical")
    back = orientations.ornt_transform(
        orientations.axcodes2ornt(PLANES[like.plane]),
        orientations.io_orientation(like._stored.affine),
    )
    turned = np.ascontiguousarray(orientations.apply_orientation(values, back))
    header = like._stored.header
    kind = (
        nibabel.Nifti1Image
        if header is None or header["sizeof_hdr"] == 348
        else nibabel.Nifti2Image
    )
    image = kind(turned, like._stored.affine, header)
    image.header.set_data_dtype(values.dtype)
    image.header.set_slope_inter(1, 0)
    image.header["cal_min"] = image.header["cal_max"] = 0  # of the image, not of this
    if header is None:
        image.header.set_xyzt_units("mm")
    content: bytes = image.to_bytes()
    return gzip.compress(content, 6, mtime=0) if packed else content


class VolumeReader(MaskReader):
    """Reads label maps as (D, H, W) class ids and refuses labels that the set does not have.

    Args:
        num_classes: K.
        plane: Of the slices.
        value_map: See `MaskReader`.
        ignore_index: Likewise.
    """

    def __init__(
        self, num_classes: int, plane: str, *, value_map: Any = None, ignore_index: int = 255
    ) -> None:
        super().__init__(num_classes, value_map=value_map, ignore_index=ignore_index)
        self.plane = plane

    def __call__(self, path: str | Path) -> np.ndarray:
        """Read one label map."""
        return self.of(Volume(path, self.plane))

    def of(self, volume: Volume) -> np.ndarray:
        """Read the label map of an opened file."""
        slices = enumerate(volume.read_labels())
        return np.stack(
            [self.ids_of(s, f"{volume.path}, {self.plane} slice {n}") for n, s in slices]
        )

    def write(self, source: Path, noisy: np.ndarray, target: Path) -> None:
        """Write a file like another one that is read as other class ids, (D, H, W).

        A voxel that has not changed keeps its number; a changed one gets the first that
        ``value_map`` has for its new class, or else the class id.

        Raises:
            DatasetError: If the file's type of number, or ``value_map``, has none for a class.
        """
        volume = Volume(source, self.plane)
        stored, changed = volume.read_labels(), self.of(volume) != noisy
        if not changed.any():
            target.write_bytes(source.read_bytes())
            return
        kind = volume.label_type
        values = stored.astype(kind)
        for label in np.unique(noisy[changed]).tolist():
            values[changed & (noisy == label)] = self.number_of(label, kind, source)
        target.write_bytes(_content(values, volume, source.name.lower().endswith(".gz")))


def is_volume(path: str | Path) -> bool:
    """Return whether a file is called as NIfTI files are, or a folder holds a DICOM file."""
    path = Path(path)
    if not path.is_dir():
        return path.name.lower().endswith(NIFTI)
    return any(is_dicom(file) for file in sorted(path.iterdir())[:100])


def volume_name(path: Path) -> str:
    """Return what a volume is called, without the end of a NIfTI file.

    Example:
        >>> volume_name(Path("images/a.b.nii.gz"))
        'a.b'
    """
    end = next((end for end in NIFTI if path.name.lower().endswith(end)), "")
    return path.name[: len(path.name) - len(end)]


class _Nifti:
    """A NIfTI file as it is stored."""

    def __init__(self, path: Path) -> None:
        nibabel = optional_import("nibabel", "medical")
        self.path = path
        image = self._open()
        shape = image.shape
        if not isinstance(image, nibabel.Nifti1Pair):
            raise one_problem(path, f"is {type(image).__name__}, no NIfTI", "save it as .nii.gz")
        while len(shape) > 3 and shape[-1] == 1:
            shape = shape[:-1]
        if len(shape) != 3 or not all(shape):
            raise one_problem(
                path,
                f"holds {_times(image.shape)} numbers, no volume of three axes",
                "save each volume of it as a file of its own (fslsplit, nibabel.four_to_three)",
            )
        if image.get_data_dtype().names or image.get_data_dtype().kind not in "uif":
            raise one_problem(
                path, f"its voxels are {image.get_data_dtype()}, no numbers", "save it as float32"
            )
        self.shape = tuple(map(int, shape))
        self.affine = np.asarray(image.affine, float)
        self.header = image.header.copy()
        self.unsaid = not (int(self.header["sform_code"]) or int(self.header["qform_code"]))
        if len(image.shape) > 3:  # what is written has three axes
            self.header.set_data_shape(shape)

    def _open(self) -> Any:
        nibabel = optional_import("nibabel", "medical")
        if not self.path.is_file():
            raise one_problem(self.path, "file not found", "give a .nii or .nii.gz file")
        try:
            return nibabel.load(self.path)
        except MemoryError:
            raise
        except Exception as error:  # whatever damage leads it to
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> DatasetError:
        words = " ".join(str(error).split()) or type(error).__name__
        return one_problem(self.path, f"cannot be read: {words}", "fetch or export the file again")

    def read(self) -> np.ndarray:
        image = self._open()
        try:
            with np.errstate(all="ignore"):
                values = np.asanyarray(image.dataobj).reshape(self.shape)
        except MemoryError:
            raise
        except Exception as error:  # whatever damage leads it to
            raise self._damaged(error) from None
        return real_numbers(values, self.path)


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _rounded(affine: np.ndarray) -> list[list[float]]:
    return [[float(f"{x:.9g}") for x in row] for row in affine[:3].tolist()]
