"""The report as one self-contained page: tables, curves and pictures, no script, no network."""

from __future__ import annotations

from collections.abc import Sequence

from segnoise.benchmark.charts import Series, line_chart
from segnoise.benchmark.curves import score_curve, share_curve
from segnoise.benchmark.grid import Grid, slug
from segnoise.benchmark.page_style import NUM_STYLES, STYLE
from segnoise.benchmark.pictures import pictures
from segnoise.benchmark.plan import Plan
from segnoise.benchmark.report import block_title, cells, explanation, header, notes
from segnoise.benchmark.report import plus_minus as spread_text
from segnoise.benchmark.results import Row, main_score
from segnoise.benchmark.tables import Block, Line, blocks, line_name
from segnoise.pages import escape, page

_CHARTS = {
    "given": "wrong labels predicted as given (memorised), %",
    "true": "wrong labels predicted as they truly are, %",
}


def report_page(plan: Plan, rows: Sequence[Row], title: str) -> str:
    """The whole page."""
    grid = plan.grid
    found = blocks(grid, rows)
    done = sum(row.status == "done" for row in rows)
    parts = [
        '<a class="skip" href="#main">to the results</a>',
        f"<header><h1>{escape(title)}</h1>",
        f'<p class="faint">{done} of {len(rows)} cells are done.</p>',
        _navigation(found),
        "</header><main id=main>",
        _overview(grid, found),
        _explanation(grid),
        *(_section(plan, block, rows) for block in found),
        _notes(plan, rows),
        "</main>",
    ]
    return page(title, "\n".join(parts), STYLE)


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
    main = main_score(grid)
    table = {(b.dataset, b.noise): {(x.loss, x.method): x for x in b.lines} for b in found}
    names = dict.fromkeys(key for lines in table.values() for key in lines)
    head = "".join(
        f'<th scope="col">{escape(b.dataset)}<br><span>{escape(b.noise)}</span></th>' for b in found
    )
    rows = []
    for loss, method in names:
        row = [f'<th scope="row">{escape(line_name(loss, method))}</th>']
        for block in found:
            line = table[block.dataset, block.noise].get((loss, method))
            value = line.scores[main] if line else None
            text = "" if line is None else escape(spread_text(value))
            top = value is not None and value.mean == _highest(block, main)
            row.append(f"<td>{f'<strong>{text}</strong>' if top else text}</td>")
        rows.append(f"<tr>{''.join(row)}</tr>")
    what = "mIoU on the test data" if main == "test" else f"mIoU of the {main} epoch"
    return (
        f'<section><h2>Overview</h2><p class="faint">{what}, percent, mean ± standard deviation; '
        "the highest mean of a column in bold.</p>"
        f'{_scroll("overview")}<table><thead><tr><th scope="col">loss, method</th>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _highest(block: Block, main: str) -> float | None:
    values = [x.scores[main] for x in block.lines]
    return max((value.mean for value in values if value is not None), default=None)


def _explanation(grid: Grid) -> str:
    items = "".join(f"<li>{escape(words)}</li>" for words in explanation(grid))
    return f"<details><summary>What the columns are</summary><ul>{items}</ul></details>"


def _section(plan: Plan, block: Block, rows: Sequence[Row]) -> str:
    own = [
        row for row in rows if (row.cell.dataset, row.cell.noise) == (block.dataset, block.noise)
    ]
    return (
        f'<section class="block" id="{_identity(block)}"><h2>{escape(block_title(block))}</h2>'
        f"{_table(plan.grid, block)}{_charts(plan.grid, block, own)}{pictures(plan, block, own)}"
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
    scores = [Series(name, style, score_curve(own)) for name, style, own in lines]
    where = f"{block.dataset}, {block.noise}"
    charts = [_figure("mIoU on clean validation labels, %", where, scores, "iteration")]
    for share, words in _CHARTS.items():
        shares = [Series(name, style, share_curve(own, share)) for name, style, own in lines]
        if any(series.points for series in shares):
            charts.append(_figure(words, where, shares, "epoch", from_zero=True))
    return (
        f"<style>{''.join(hiding)}</style>"
        f'<fieldset class="legend"><legend>lines</legend>{"".join(boxes)}</fieldset>'
        f'<div class="charts">{"".join(charts)}</div>'
    )


def _figure(
    words: str, where: str, series: Sequence[Series], x_label: str, from_zero: bool = False
) -> str:
    drawn = line_chart(f"{words}; {where}", series, x_label, "%", from_zero)
    return f"<figure><figcaption>{escape(words)}</figcaption>{drawn}</figure>"


def _notes(plan: Plan, rows: Sequence[Row]) -> str:
    remarks = "".join(f"<li>{escape(words)}</li>" for words in notes(plan, rows))
    return f"<section><h2>Notes</h2><ul>{remarks}</ul></section>" if remarks else ""
