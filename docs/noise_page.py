"""Write docs/noise.md from the noise models' docstrings and the presets.

    python docs/noise_page.py

tests/test_docs.py fails where the docstrings have moved on.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from docstrings import code, parameter_table, sections

from segnoise.noise import NOISES, PRESETS, Noise, build_noise

FOLDER = Path(__file__).parent


def page() -> str:
    """The whole of docs/noise.md."""
    lines = [(FOLDER / "noise" / "introduction.md").read_text(encoding="utf-8").strip(), ""]
    lines += ["## All models", "", *overview(), ""]
    lines += ["## Presets", "", *presets(), ""]
    for name in sorted(NOISES):
        lines += one_model(name)
    return "\n".join(lines).rstrip() + "\n"


def overview() -> list[str]:
    """A table of all models."""
    lines = ["| model | dose | |", "|:--|:--|:--|"]
    for name in sorted(NOISES):
        model: type[Noise] = NOISES[name]
        dose = "" if model.DOSE is None else model.DOSE.parameter
        if dose.isidentifier():
            dose = f"`{dose}`"
        lines.append(f"| [{name}](#{name.lower()}) | {dose} | {code(sections(model)['summary'])} |")
    return lines


def presets() -> list[str]:
    """A table of the presets, with what they stand for."""
    lines = [
        "Published settings by name; `build_noise` and configs take them as types, such as",
        '`noise = dict(type="coco-n-easy", num_classes=21)`.',
        "",
        "| preset | stands for |",
        "|:--|:--|",
    ]
    for name in PRESETS:
        try:
            noise = build_noise(name)
        except TypeError:  # it needs the number of classes
            noise = build_noise(name, num_classes=21)
        lines.append(f"| `{name}` | `{shortened(noise)}` |")
    return lines


def shortened(value: object) -> str:
    """A model as code, without the parameters that have their defaults."""
    if isinstance(value, Noise):
        fields = ((f.name, f.default, getattr(value, f.name)) for f in dataclasses.fields(value))
        given = (f"{name}={shortened(own)}" for name, default, own in fields if own != default)
        return f"{type(value).__name__}({', '.join(given)})"
    if isinstance(value, tuple):
        return f"[{', '.join(map(shortened, value))}]"
    return repr(value)


def one_model(name: str) -> list[str]:
    """The section of one model."""
    model: type[Noise] = NOISES[name]
    parts = sections(model)
    lines = [f"## {name}", "", code(parts["summary"]), ""]
    for paragraph in [*parts["body"], parts["use"]]:
        if paragraph:
            lines += [code(paragraph), ""]
    if parts["args"]:
        lines += parameter_table(model, parts["args"])
    if parts["source"]:
        lines += [f"Source: {code(parts['source'])}", ""]
    return lines


if __name__ == "__main__":
    (FOLDER / "noise.md").write_text(page(), encoding="utf-8")
