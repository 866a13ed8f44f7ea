"""What a file is that is no readable picture, and how to make one of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

from PIL import TiffImagePlugin


class Kind(NamedTuple):
    """A kind of file in words, and how to make a picture of it."""

    what: str
    remedy: str


_SLICES = "export its slices as PNG, one a file"
_VOLUME = "take VolumeDataset, or export its slices as PNG, one a file"
_SAVE = "save it as PNG with the program that wrote it"
_ARRAY = "save it as PNG: PIL.Image.fromarray(numpy.load(file)).save(name), for 8 or 16 bits"
_AGAIN = "fetch it again, as a file: the server may have asked for a login"
NOT_THIS_TIFF = (
    "save it as PNG, or as TIFF of 1, 3 or 4 bands (gdal_translate -b 1 -b 2 -b 3 -co "
    "INTERLEAVE=PIXEL)"
)

# Where in the file, which bytes, and what they say.
_MAGIC = (
    (0, b"\x93NUMPY", Kind("a NumPy array", _ARRAY)),
    (0, b"PK\x03\x04", Kind("a ZIP or .npz archive", "unpack it, and save arrays as PNG")),
    (128, b"DICM", Kind("a DICOM file", _VOLUME)),
    (344, b"n+1\0", Kind("a NIfTI volume", _VOLUME)),
    (344, b"ni1\0", Kind("a NIfTI header", _VOLUME)),
    (0, b"NRRD", Kind("an NRRD volume", _SLICES)),
    (0, b"ObjectType", Kind("a MetaImage header", _SLICES)),
    (0, b"\x1f\x8b", Kind("a gzip file", "unpack it, or take VolumeDataset for NIfTI")),
    (0, b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file", "save its arrays as PNG, one a file")),
    (0, b"MATLAB ", Kind("a MATLAB file", "save its arrays as PNG, one a file")),
    (0, b"version https://git-lfs", Kind("a Git LFS pointer, not the file itself", "git lfs pull")),
    (4, b"ftypavif", Kind("an AVIF picture, which this Pillow cannot read", _SAVE)),
    (4, b"ftypqt", Kind("a video", "save its frames as PNG, one a file")),
    (4, b"ftypisom", Kind("a video", "save its frames as PNG, one a file")),
    (4, b"ftypmp4", Kind("a video", "save its frames as PNG, one a file")),
    (4, b"ftyp", Kind("a HEIC picture", _SAVE)),
    (0, b"\xff\x0a", Kind("a JPEG XL picture", _SAVE)),
    (4, b"JXL ", Kind("a JPEG XL picture", _SAVE)),
    (4, b"jP  ", Kind("a JPEG 2000 picture that Pillow cannot read", _SAVE)),
    (0, b"v/1\x01", Kind("an OpenEXR picture", _SAVE)),
    (0, b"#?R", Kind("a Radiance HDR picture", _SAVE)),
    (0, b"SIMPLE  =", Kind("a FITS file", _SAVE)),
    (0, b"%PDF", Kind("a PDF", _SAVE)),
    (0, b"%!PS", Kind("PostScript", _SAVE)),
    (0, b"8BPS", Kind("a Photoshop file that Pillow cannot read", _SAVE)),
    (0, b"GRIB", Kind("a GRIB file", _SAVE)),
    (0, b"\x80", Kind("a pickle or another binary file", _SAVE)),
    (0, b"{", Kind("JSON", "draw its outlines as masks of class ids, saved as PNG")),
)  # fmt: skip
_PAGE = (b"<!doctype html", b"<html")


def kind_of(path: str | Path) -> Kind | None:
    """Return what a file's first bytes say it is; None for pictures and what is not known."""
    with open(path, "rb") as file:
        head = file.read(512)
    if not head:
        return Kind("an empty file", "fetch or export it again")
    for place, magic, kind in _MAGIC:
        if head.startswith(magic, place):
            return kind
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_PAGE):
        return Kind("a web page", _AGAIN)
    if start.startswith((b"<?xml", b"<svg")):
        return Kind("SVG or other XML", _SAVE)
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return Kind(tiff_words(path), NOT_THIS_TIFF)
    if head.isascii() and not any(byte < 9 for byte in head):
        return Kind("a text file", "put the picture in its place")
    return None


def tiff_words(path: str | Path) -> str:
    """Return what a TIFF holds, by the tags of its first page."""
    try:
        tags = _first_page(path)
        found = {tag: tags[tag] for tag in (258, 259, 277, 284, 339) if tag in tags}
    except Exception:  # whatever the damage leads Pillow to
        return "a damaged TIFF"
    firsts = {tag: value[0] if isinstance(value, tuple) else value for tag, value in found.items()}
    kind = {1: "", 2: "signed ", 3: "floating-point "}.get(firsts.get(339, 1), "unusual ")
    bands, bits = firsts.get(277, 1), firsts.get(258, 1)
    planar = ", one band after the other" if firsts.get(284) == 2 and bands > 1 else ""
    return (
        f"a TIFF of {bands} band{'s' * (bands > 1)} of {bits} {kind}bits{planar}, compression "
        f"{firsts.get(259, 1)}, which cannot be read"
    )


def has_tag(path: str | Path, tag: int) -> bool:
    """Return whether a file is a TIFF whose first page has a tag."""
    try:
        return tag in _first_page(path)
    except Exception:  # whatever no TIFF leads Pillow to
        return False


def _first_page(path: str | Path) -> Any:
    """The tags of a TIFF's first page."""
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about what is damaged
        head = file.read(8)
        head += file.read(8) if 43 in head[2:4] else b""  # BigTIFF
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(tags.next)
        tags.load(file)
        _ = tags[256]  # the width, which every page has
        return tags
