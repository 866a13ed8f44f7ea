"""The report as one self-contained page: tables, curves and pictures, no script, no network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segnoise.benchmark.charts import Point, Series, line_chart
from segnoise.benchmark.grid import Grid, slug
from segnoise.benchmark.page_style import NUM_STYLES, STYLE
from segnoise.benchmark.plan import Plan
from segnoise.benchmark.report import block_title, cells, explanation, header, notes
from segnoise.benchmark.report import plus_minus as spread_text
from segnoise.benchmark.results import Row
from segnoise.benchmark.tables import Block, Line, blocks, line_name
from segnoise.drawing import VOID_COLOR
from segnoise.pages import escape, page, picture_uri

_TITLES = {"image": "image", "clean": "clean labels", "noisy": "labels under the noise"}
_CHARTS = {
    "given": "wrong labels predicted as given (memorised), %",
    "true": "wrong labels predicted as they truly are, %",
}


def report_page(plan: Plan, rows: Sequence[Row], title: str) -> str:
    """The whole page."""
    grid = plan.grid
    found = blocks(grid, rows)
    done, remarks = sum(row.status == "done" for row in rows), notes(plan, rows)
    parts = [
        '<a class="skip" href="#main">to the results</a>',
        f"<header><h1>{escape(title)}</h1>",
        f'<p class="faint">{done} of {len(rows)} cells are done.</p>',
        _navigation(found),
        "</header><main id=main>",
        _overview(grid, found),
        f"<details><summary>What the columns are</summary>{_list(explanation(grid))}</details>",
        *(_section(plan, block, rows) for block in found),
        f"<section><h2>Notes</h2>{_list(remarks)}</section>" if remarks else "",
        "</main>",
    ]
    return page(title, "\n".join(parts), STYLE)


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(words)}</li>' for words in items)}</ul>"


def style_of(grid: Grid, line: Line) -> str:
    """CSS class of a line's colour, the same on the whole page; the baseline is in ink."""
    if (line.loss, line.method) == (grid.baseline, "plain"):
        return "base"
    names = [(loss, method) for loss in grid.losses for method in grid.methods]
    names.remove((grid.baseline, "plain"))
    number = names.index((line.loss, line.method))
    return f"s{number % NUM_STYLES}" + (" dashed" if number // NUM_STYLES % 2 else "")


def _identity(block: Block) -> str:
    return slug(f"{block.dataset}--{block.noise}")


def _navigation(found: Sequence[Block]) -> str:
    links = "".join(
        f'<li><a href="#{_identity(b)}">{escape(b.dataset)}, {escape(b.noise)}</a></li>'
        for b in found
    )
    return f'<nav aria-label="data sets and noises"><ul>{links}</ul></nav>'


def _overview(grid: Grid, found: Sequence[Block]) -> str:
    """Main scores of all lines under all noises; the highest mean of a column stands out."""
    main = grid.main_score
    table = {(b.dataset, b.noise): {(x.loss, x.method): x for x in b.lines} for b in found}
    names = dict.fromkeys(key for lines in table.values() for key in lines)
    head = "".join(
        f'<th scope="col">{escape(b.dataset)}<br><span>{escape(b.noise)}</span></th>' for b in found
    )
    means = [[x.scores[main] for x in b.lines] for b in found]
    highest = [max((value.mean for value in each if value), default=None) for each in means]
    rows = []
    for loss, method in names:
        row = [f'<th scope="row">{escape(line_name(loss, method))}</th>']
        for block, most in zip(found, highest, strict=True):
            line = table[block.dataset, block.noise].get((loss, method))
            value = line.scores[main] if line else None
            text = "" if line is None else escape(spread_text(value))
            top = value is not None and value.mean == most
            row.append(f"<td>{f'<strong>{text}</strong>' if top else text}</td>")
        rows.append(f"<tr>{''.join(row)}</tr>")
    what = "mIoU on the test data" if main == "test" else f"mIoU of the {main} epoch"
    return (
        f'<section><h2>Overview</h2><p class="faint">{what}, percent, mean ± standard deviation; '
        "the highest mean of a column in bold.</p>"
        f'{_scroll("overview")}<table><thead><tr><th scope="col">loss, method</th>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _section(plan: Plan, block: Block, rows: Sequence[Row]) -> str:
    own = [
        row for row in rows if (row.cell.dataset, row.cell.noise) == (block.dataset, block.noise)
    ]
    return (
        f'<section class="block" id="{_identity(block)}"><h2>{escape(block_title(block))}</h2>'
        f"{_table(plan.grid, block)}{_charts(plan.grid, block, own)}{_pictures(plan, block, own)}"
        "</section>"
    )


def _table(grid: Grid, block: Block) -> str:
    titles = header(grid)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in titles)
    body = []
    for line in block.lines:
        first, *others = cells(grid, line)
        row = [f'<th scope="row">{escape(first)}</th>']
        for name, text in zip(titles[1:], others, strict=True):
            sign = _sign(line) if name.startswith("against") else ""
            row.append(f"<td{sign}>{escape(text)}</td>")
        body.append(f"<tr>{''.join(row)}</tr>")
    return (
        f'{_scroll(block_title(block))}<table class="lines"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _sign(line: Line) -> str:
    """Mark a difference whose interval does not hold 0."""
    found = line.difference
    if found is None or found.half is None or abs(found.mean) <= found.half:
        return ""
    return ' class="up"' if found.mean > 0 else ' class="down"'


def _scroll(label: str) -> str:
    """A region that scrolls sideways, by keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'


def _charts(grid: Grid, block: Block, rows: Sequence[Row]) -> str:
    """Three charts, and a legend whose boxes show and hide the lines of all of them."""
    boxes, hiding, lines = [], [], []
    identity = _identity(block)
    for number, line in enumerate(block.lines):
        own = [r for r in rows if (r.cell.loss, r.cell.method) == (line.loss, line.method)]
        box, style = f"{identity}-{number}", style_of(grid, line)
        lines.append((line.name, f"{style} n{number}", own))
        boxes.append(
            f'<label class="{style}"><input type="checkbox" id="{box}" checked>'
            f'<svg viewBox="0 0 28 8" aria-hidden="true"><path class="stroke" d="M0 4H28"/></svg>'
            f"{escape(line.name)}</label>"
        )
        hiding.append(
            f'[id="{identity}"]:has([id="{box}"]:not(:checked)) .line.n{number}{{display:none}}'
        )
    scores = [
        Series(name, style, _mean_curve(own, lambda row: row.scores, "iter", "mIoU"))
        for name, style, own in lines
    ]
    where = f"{block.dataset}, {block.noise}"
    charts = [_figure("mIoU on clean validation labels, %", where, scores, "iteration")]
    for share, words in _CHARTS.items():
        shares = [
            Series(name, style, _mean_curve(own, lambda row: row.memorisation, "epoch", share))
            for name, style, own in lines
        ]
        if any(series.points for series in shares):
            charts.append(_figure(words, where, shares, "epoch", from_zero=True))
    return (
        f"<style>{''.join(hiding)}</style>"
        f'<fieldset class="legend"><legend>lines</legend>{"".join(boxes)}</fieldset>'
        f'<div class="charts">{"".join(charts)}</div>'
    )


def _mean_curve(
    rows: Sequence[Row], entries: Callable[[Row], Sequence[Mapping[str, Any]]], x: str, y: str
) -> list[Point]:
    """Means at the places that all rows have a value for."""
    curves = [
        {entry[x]: entry[y] for entry in entries(row) if entry[y] is not None}
        for row in rows
        if row.result
    ]
    if not curves:
        return []
    shared = sorted(set(curves[0]).intersection(*curves[1:]))
    values = {place: [curve[place] for curve in curves] for place in shared}
    return [
        Point(place, math.fsum(found) / len(found), min(found), max(found))
        for place, found in values.items()
    ]


def _figure(
    words: str, where: str, series: Sequence[Series], x_label: str, from_zero: bool = False
) -> str:
    drawn = line_chart(f"{words}; {where}", series, x_label, "%", from_zero)
    return f"<figure><figcaption>{escape(words)}</figcaption>{drawn}</figure>"


def _pictures(plan: Plan, block: Block, rows: Sequence[Row]) -> str:
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


def _legend(about: Mapping[str, Any]) -> str:
    entries = [*zip(about["classes"], about["palette"], strict=True), ("void", VOID_COLOR)]
    swatches = "".join(
        f'<span><i style="background:rgb({r},{g},{b})"></i>{escape(name)}</span>'
        for name, (r, g, b) in entries
    )
    return f'<p class="classes">{swatches}</p>'
