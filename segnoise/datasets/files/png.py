"""Exchange the pixels of a PNG file and keep all else that it says."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_INDEXED = 3
# What a PNG says beside its pixels. Of other chunks, those marked as safe to copy are kept.
_KEPT = {b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD"}


def png_depth(content: bytes) -> int:
    """Return the bits a sample of a PNG file, 1 to 16."""
    return _header(content)[2]


def png_with_samples(content: bytes, samples: np.ndarray) -> bytes:
    """Return a PNG file like another one, with other pixels.

    Width, height, bit depth, colour type, palette and remarks are kept (PNG Specification, third
    edition, section 14.2 on what editors may copy); animation and interlacing are not. A palette
    that is too short for a new index goes on in white.

    Args:
        content: The bytes of a PNG file.
        samples: (H, W) or (H, W, C) numbers as the file stores them: grey values of its depth
            (not scaled to 8 bits), palette indices, or colours.

    Raises:
        ValueError: If the samples do not have the file's shape, or do not fit its bit depth.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.fromarray(np.array([[0, 7]], np.uint8)).save(file, "PNG")
        >>> changed = png_with_samples(file.getvalue(), np.array([[9, 7]], np.uint8))
        >>> np.array(Image.open(io.BytesIO(changed))).tolist()
        [[9, 7]]
    """
    width, height, depth, color_type = _header(content)
    channels = _CHANNELS[color_type]
    if samples.shape not in ((height, width), (height, width, channels)) or (
        samples.size != height * width * channels
    ):
        raise ValueError(f"samples have shape {samples.shape}, not {(height, width, channels)}")
    if samples.max() >= 1 << depth:
        raise ValueError(f"sample {samples.max()} does not fit {depth} bits")
    rows = _packed(samples.reshape(height, -1), depth)
    # Each row begins with its filter; 0, none, is best for labels.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    parts, written = [_SIGNATURE], False
    for kind, data in _chunks(content):
        if kind == b"IDAT":
            if written:
                continue
            kind, data, written = b"IDAT", zlib.compress(rows.tobytes()), True
        elif kind == b"IHDR":
            data = data[:-1] + b"\0"  # not interlaced
        elif kind == b"PLTE" and color_type == _INDEXED:
            data = data.ljust(3 * (int(samples.max()) + 1), b"\xff")
        elif kind != b"IEND" and kind not in _KEPT and not kind[3:].islower():
            continue
        parts.append(_chunk(kind, data))
    return b"".join(parts)


def _header(content: bytes) -> tuple[int, int, int, int]:
    """Return width, height, bit depth and colour type."""
    width, height, depth, color_type = struct.unpack(">IIBB", content[16:26])
    return width, height, depth, color_type


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position, kind = len(_SIGNATURE), b""
    while kind != b"IEND" and position + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[position : position + 8])
        yield kind, content[position + 8 : position + 8 + length]
        position += length + 12


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _packed(rows: np.ndarray, depth: int) -> np.ndarray:
    """Return rows of samples as rows of bytes, the first sample in the highest bits."""
    if depth == 16:
        return rows.astype(">u2").view(np.uint8)
    rows = rows.astype(np.uint8)
    if depth == 8:
        return rows
    per_byte = 8 // depth
    height, width = rows.shape
    padded = np.zeros((height, -(-width // per_byte), per_byte), np.uint8)
    padded.reshape(height, -1)[:, :width] = rows
    shifts = depth * np.arange(per_byte - 1, -1, -1, dtype=np.uint8)
    return np.bitwise_or.reduce(padded << shifts, axis=-1, dtype=np.uint8)
