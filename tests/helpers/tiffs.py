"""Plain TIFF files, written by the specification: Pillow can neither write nor read all of them."""

import struct

import numpy as np


def tiff(array, *, planar=False, order="<", orientation=None, subfiles=(0,)):
    """Return an uncompressed TIFF of an (H, W[, C]) array, one page for each subfile type."""
    array = np.atleast_3d(array)
    height, width, bands = array.shape
    data = array.astype(array.dtype.newbyteorder(order))
    strips = [data[..., i].tobytes() for i in range(bands)] if planar else [data.tobytes()]
    file = bytearray({"<": b"II*\0", ">": b"MM\0*"}[order] + bytes(4))
    link = 4
    for subfile in subfiles:
        places = []
        for strip in strips:
            places.append(len(file))
            file += strip
        tags = {
            254: ("I", [subfile]), 256: ("H", [width]), 257: ("H", [height]),
            258: ("H", [8 * array.dtype.itemsize] * bands), 259: ("H", [1]),
            262: ("H", [2 if bands > 2 else 1]), 273: ("I", places), 277: ("H", [bands]),
            278: ("H", [height]), 279: ("I", [len(strip) for strip in strips]),
            284: ("H", [1 + planar]), 339: ("H", [1 + "uif".index(array.dtype.kind)] * bands),
        }  # fmt: skip
        if orientation is not None:
            tags[274] = ("H", [orientation])
        if bands > 3:
            tags[338] = ("H", [0] * (bands - 3))
        entries = b""
        for tag, (form, values) in sorted(tags.items()):
            packed = struct.pack(f"{order}{len(values)}{form}", *values)
            if len(packed) > 4:
                place = len(file)
                file += packed
                packed = struct.pack(order + "I", place)
            entries += struct.pack(order + "HHI", tag, {"H": 3, "I": 4}[form], len(values))
            entries += packed.ljust(4, b"\0")
        file += bytes(len(file) % 2)
        struct.pack_into(order + "I", file, link, len(file))
        file += struct.pack(order + "H", len(tags)) + entries
        link = len(file)
        file += bytes(4)
    return bytes(file)
