"""PNG files of any bit depth by hand: older Pillow writes grey of 1, 8 and 16 bits only."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def write_png(path, rows, bits, palette=None, extra=()):
    """Write rows of grey values, or of palette indices where there is a palette of bytes.

    Extra chunks, (kind, data), go before the pixels.
    """
    lines = b""
    for row in rows:
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        lines += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
    color_type = 0 if palette is None else 3
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), bits, color_type, 0, 0, 0)
    path.write_bytes(
        SIGNATURE
        + chunk(b"IHDR", header)
        + (b"" if palette is None else chunk(b"PLTE", palette))
        + b"".join(chunk(kind, data) for kind, data in extra)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def png_chunks(path):
    """Return {kind: data} of a file, the parts of its pixels joined."""
    content, position, found = path.read_bytes(), 8, {}
    assert content[:8] == SIGNATURE
    while position < len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        kind = content[position + 4 : position + 8]
        data = content[position + 8 : position + 8 + length]
        checksum = content[position + 8 + length : position + 12 + length]
        assert zlib.crc32(kind + data) == int.from_bytes(checksum, "big")
        found[kind] = found.get(kind, b"") + data
        position += length + 12
    return found
