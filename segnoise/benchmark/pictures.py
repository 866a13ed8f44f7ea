"""The pictures of a report: image, labels and what each loss and method makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segnoise.benchmark.plan import Plan
from segnoise.benchmark.results import Row
from segnoise.benchmark.tables import Block
from segnoise.drawing import VOID_COLOR
from segnoise.pages import escape, picture_uri

_TITLES = {"image": "image", "clean": "clean labels", "noisy": "labels under the noise"}


def pictures(plan: Plan, block: Block, rows: Sequence[Row]) -> str:
    """A table of pictures, one row a validation image; empty where nothing was drawn.

    Those of the grid's first seed and selected checkpoint; labels come from the first cell that
    has them.
    """
    first = plan.grid.seeds[0]
    chosen = {
        line.name: row
        for line in block.lines
        for row in rows
        if (row.cell.loss, row.cell.method, row.cell.seed) == (line.loss, line.method, first)
        and (row.examples or {}).get("checkpoint") == plan.grid.select
    }
    if not chosen:
        return ""
    drawn = {name: row.folder / "examples" for name, row in chosen.items()}
    source, about = next(iter(drawn.values())), next(iter(chosen.values())).examples or {}
    shown = [name for name in _TITLES if (source / f"0_{name}.png").is_file()]
    head = [*(_TITLES[name] for name in shown), *drawn]
    body = []
    for number, sample in enumerate(about["samples"]):
        files = [source / f"{number}_{name}.png" for name in shown]
        files += [folder / f"{number}_prediction.png" for folder in drawn.values()]
        cells = [_cell(f, f"{sample}: {t}") for f, t in zip(files, head, strict=True)]
        body.append(f'<tr><th scope="row">{escape(sample)}</th>{"".join(cells)}</tr>')
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    what = "The best" if plan.grid.select == "best" else "The last"
    return (
        f"<details open><summary>Pictures</summary>"
        f'<p class="faint">Validation images. {what} epoch, seed {first}. Training labels only are '
        f"corrupted; the noise on these is for the eye.</p>{_legend(about)}"
        f'<div class="scroll" tabindex="0" role="region" aria-label="pictures: '
        f'{escape(block.dataset)}, {escape(block.noise)}"><table class="pictures"><thead><tr>'
        f'<th scope="col">sample</th>{titles}</tr></thead><tbody>{"".join(body)}</tbody></table>'
        f"</div></details>"
    )


def _cell(file: Path, words: str) -> str:
    try:
        picture = np.asarray(Image.open(file).convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's, for a file that is damaged
        return f"<td>{escape(f'{file}: cannot be read ({error})')}</td>"
    return f'<td><img alt="{escape(words)}" src="{picture_uri(picture)}"></td>'


def _legend(about: dict[str, Any]) -> str:
    entries = [*zip(about["classes"], about["palette"], strict=True), ("void", VOID_COLOR)]
    swatches = "".join(
        f'<span><i style="background:rgb({r},{g},{b})"></i>{escape(name)}</span>'
        for name, (r, g, b) in entries
    )
    return f'<p class="classes">{swatches}</p>'
