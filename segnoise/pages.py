"""Self-contained web pages: one HTML file, pictures inside, nothing fetched from anywhere.

Stands on NumPy, OpenCV and the standard library only.
"""

from __future__ import annotations

import base64
import html

import cv2
import numpy as np

from segnoise.tables import printable

# The page may show what it holds and load nothing: a browser enforces it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light; --ink: #202228; --faint: #646873; --line: #dfe1e6; --accent: #1f5fbf; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 15px/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; }
p { margin: 0 0 8px; max-width: 75ch; }
code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: .9em; }
.faint { color: var(--faint); }
"""


def escape(text: str) -> str:
    r"""Return any text as HTML shows it: markup and control characters are escaped.

    Example:
        >>> escape("<b> \x1b[31m")
        '&lt;b&gt; \\x1b[31m'
    """
    return html.escape(printable(text))


def page(title: str, body: str, style: str = "") -> str:
    """Return a whole HTML document."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}{style}</style></head>",
            f"<body>{body}</body></html>",
            "",
        ]
    )


def picture_uri(picture: np.ndarray) -> str:
    """Return a picture as a data: address."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, file = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, 90])
    return "data:image/webp;base64," + base64.b64encode(file.tobytes()).decode("ascii")
