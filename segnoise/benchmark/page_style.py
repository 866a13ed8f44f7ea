"""How the page of a benchmark looks, in light and in dark."""

from __future__ import annotations

# Distinct in hue and lightness on either ground; from the ninth line on they come dashed.
_LIGHT = (
    "#1f6fd6", "#d9480f", "#1a7f4b", "#8f3fb8", "#a67c00", "#0b8793", "#c2255c", "#5f6b1f",
)  # fmt: skip
_DARK = (
    "#6ea8ff", "#ff8f5c", "#57c98a", "#c792ea", "#e0b93f", "#4fc3d0", "#ff7aa8", "#b5c25a",
)  # fmt: skip
NUM_STYLES = len(_LIGHT)


def _colors(values: tuple[str, ...]) -> str:
    return " ".join(f"--s{number}: {value};" for number, value in enumerate(values))


_CLASSES = "\n".join(f".s{number} {{ --own: var(--s{number}); }}" for number in range(NUM_STYLES))

STYLE = f"""
:root {{ color-scheme: light dark; --paper: #fff; --shade: #f5f6f8; --up: #146c3c; --down: #b3261e;
  {_colors(_LIGHT)} }}
@media (prefers-color-scheme: dark) {{
  :root {{ --paper: #16181d; --shade: #20232a; --ink: #e8eaf0; --faint: #a3a8b4; --line: #383c46;
    --accent: #8ab4ff; --up: #6fd69b; --down: #ff9a91; {_colors(_DARK)} }}
}}
{_CLASSES}
.base {{ --own: var(--ink); }}
body {{ background: var(--paper); }}
header, main {{ max-width: 1400px; margin: 0 auto; padding: 20px 24px 0; }}
main {{ padding-bottom: 60px; }}
h2 {{ font-size: 18px; margin: 0 0 8px; }}
a {{ color: var(--accent); }}
:focus-visible {{ outline: 2px solid var(--accent); outline-offset: 2px; }}
.skip {{ position: absolute; left: -999px; }}
.skip:focus {{ left: 8px; top: 8px; background: var(--paper); padding: 4px 8px; }}
nav ul {{ list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; margin: 0; }}
section {{ margin: 0 0 20px; }}
section.block {{ border-top: 1px solid var(--line); padding-top: 20px; margin-top: 28px; }}
.scroll {{ overflow-x: auto; margin: 0 0 14px; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 5px 12px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }}
th {{ font-weight: 600; }}
thead th {{ color: var(--faint); font-size: 13px; vertical-align: bottom; }}
thead th span {{ font-weight: 400; }}
th[scope=row], th:first-child {{ text-align: left; padding-left: 4px; }}
table.lines th:nth-child(2), table.lines td:nth-child(2) {{ text-align: left; }}
tbody tr:hover {{ background: var(--shade); }}
.up {{ color: var(--up); }} .up::before {{ content: "\\25B2\\2009"; font-size: .7em; }}
.down {{ color: var(--down); }} .down::before {{ content: "\\25BC\\2009"; font-size: .7em; }}
details {{ margin: 8px 0 14px; }}
summary {{ cursor: pointer; font-weight: 600; }}
details li {{ max-width: 90ch; }}
fieldset.legend {{ border: 0; margin: 0 0 6px; padding: 0; display: flex; flex-wrap: wrap;
  gap: 4px 16px; }}
fieldset.legend legend {{ position: absolute; left: -999px; }}
.legend label {{ display: flex; align-items: center; gap: 6px; cursor: pointer; }}
.legend input {{ accent-color: var(--own); margin: 0; }}
.legend svg {{ width: 28px; height: 8px; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 16px;
  max-width: 1400px; }}
figure {{ margin: 0; max-width: 560px; }}
figcaption {{ font-size: 13px; color: var(--faint); margin-bottom: 2px; }}
.charts svg {{ width: 100%; height: auto; display: block; }}
.grid {{ stroke: var(--line); }} .axis {{ stroke: var(--faint); }}
.tick, .label {{ fill: var(--faint); font-size: 11px; }}
.stroke {{ fill: none; stroke: var(--own); stroke-width: 2; stroke-linejoin: round; }}
.base .stroke {{ stroke-width: 2.6; }}
.dashed .stroke {{ stroke-dasharray: 5 3; }}
.band {{ fill: var(--own); opacity: .13; }}
.line circle {{ fill: var(--own); }}
.line:hover .stroke {{ stroke-width: 4; }}
table.pictures td, table.pictures th {{ border: 0; padding: 3px; text-align: left;
  font-weight: 400; }}
table.pictures th {{ font-size: 12px; color: var(--faint); }}
table.pictures img {{ width: 150px; display: block; image-rendering: pixelated; }}
.classes {{ display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; max-width: none; }}
.classes i {{ display: inline-block; width: 12px; height: 12px; border-radius: 2px;
  margin-right: 5px; border: 1px solid var(--faint); vertical-align: -1px; }}
"""
