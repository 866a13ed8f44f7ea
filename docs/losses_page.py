"""Write docs/losses.md, its figures and docs/losses/theory.json from the losses' docstrings.

    python docs/losses_page.py            # texts and figures; the theory of new names is measured
    python docs/losses_page.py --measure  # measure the theory anew: some minutes

tests/test_docs.py fails where the docstrings have moved on.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from docstrings import code, parameter_table, sections

from segnoise.losses import LOSSES, ActivePassiveLoss, build_loss
from segnoise.losses.base import says
from segnoise.losses.names import short_names
from segnoise.losses.theory import asymmetry_ratio, curves, is_symmetric, tolerated_rate

FOLDER = Path(__file__).parent
CLASSES = 10  # K of the measured theory and of the figures

# The order of the page: groups of classes, by what they are for.
GROUPS: dict[str, tuple[str, ...]] = {
    "Baselines": ("CE", "FL", "LabelSmoothing", "Dice"),
    "Between cross-entropy and MAE": (
        "MAE", "RCE", "GCE", "SCE", "TaylorCE", "PHuberCE", "JS", "GJS",
    ),
    "Asymmetric losses": ("AGCE", "AUL", "AEL", "ANorm", "AMSE"),
    "Normalised losses": ("NCE", "NFL", "NGCE", "NormalizedLoss"),
    "Normalised negative losses": ("NNCE", "NNFL", "NormalizedNegativeLoss"),
    "Compositions": ("NCE+RCE", "ANL-CE", "JAL-CE"),
    "Changed logits and predictions": ("SR", "LogitClip", "EpsSoftmax"),
    "Changed labels": (
        "SoftBootstrap", "HardBootstrap", "ForwardCorrection", "BackwardCorrection", "NLNL", "ELR",
    ),
    "Regions and images": ("NRDice", "TLoss"),
    "Missing labels": ("Hill", "SPLC", "ASL"),
    "Regularisers": ("ER", "L1"),
}  # fmt: skip
BINARY = ("Hill", "SPLC", "ASL")

# What else a figure shows beside the defaults.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "FL": [{"gamma": 0.5}],
    "LabelSmoothing": [{"t": 0.3}],
    "GCE": [{"q": 0.3}, {"q": 0.95}],
    "SCE": [{"alpha": 6.0, "beta": 0.1}],
    "TaylorCE": [{"t": 1}, {"t": 6}],
    "PHuberCE": [{"tau": 2.0}],
    "JS": [{"pi": 0.1}, {"pi": 0.9}],
    "AGCE": [{"a": 6.0, "q": 1.5}, {"a": 0.1, "q": 0.6}],
    "AUL": [{"a": 6.3, "q": 1.5}, {"a": 2.0, "q": 3.0}],
    "AEL": [{"a": 5.0}, {"a": 0.5}],
    "ANorm": [{"a": 1.5, "p": 0.5}],
    "AMSE": [{"a": 1.0}, {"a": 3.0}],
    "NGCE": [{"q": 0.3}],
    "NormalizedLoss": [{"base": "GCE"}, {"base": "AUL"}],
    "NormalizedNegativeLoss": [{"base": "GCE"}, {"base": "AUL"}],
    "NNCE": [{"min_prob": 1e-3}],
    "SR": [{"temperature": 0.2}],
    "LogitClip": [{"tau": 3.0}],
    "EpsSoftmax": [{"m": 1.0}],
    "SoftBootstrap": [{"t": 0.3}],
    "HardBootstrap": [{"t": 0.5}],
}
SHOWN = 0.95  # greatest p whose gradient weights set the scale
POINTS = 81
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def class_of(name: str) -> type:
    """The class behind a short name, where its documentation is."""
    builder: Any = LOSSES[name]
    return builder.func if isinstance(builder, partial) else builder


def short_names_of(cls: type) -> list[str]:
    """All short names of a class, as the table has them."""
    return [n for n in short_names() if class_of(n) is cls]


def build(name: str, **own: Any) -> Any:
    """A loss for the theory and the figures; the corrections are for 40 % symmetric noise."""
    mode = "binary" if name in BINARY else "multiclass"
    if name.endswith("Correction"):
        off = 0.4 / (CLASSES - 1)
        matrix = [[0.6 if i == j else off for j in range(CLASSES)] for i in range(CLASSES)]
        own = {"transition_matrix": matrix, **own}
    return build_loss(name, mode=mode, **own)


def measured_names() -> Iterator[str]:
    """Names whose theory is measured: multi-class losses of one pixel."""
    for group in GROUPS.values():
        for name in group:
            for short in short_names_of(class_of(name)) or [name]:
                if short not in (*BINARY, "ER", "L1", "NormalizedLoss", "NormalizedNegativeLoss"):
                    yield short


def measure(names: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
    """Symmetry, asymmetry ratio and tolerated symmetric noise of losses at their defaults."""
    found: dict[str, dict[str, Any]] = {}
    for name in measured_names() if names is None else names:
        loss = build(name)
        try:
            symmetry = is_symmetric(loss, CLASSES)
        except (TypeError, ValueError):
            continue  # no function of one pixel
        try:
            ratio: float | None = float(f"{asymmetry_ratio(loss).ratio:.4g}")
        except ValueError:
            ratio = None  # of more than the label's probability
        found[name] = {
            "symmetric": symmetry.symmetric,
            "constant": float(f"{symmetry.constant:.6g}") if symmetry.symmetric else None,
            "ratio": ratio,
            "rate": None
            if name.endswith("Correction")
            else round(tolerated_rate(loss, CLASSES), 2),
        }
        print(name, found[name], flush=True)
    return found


def verdict(theory: dict[str, Any] | None) -> str:
    """Symmetric, asymmetric or neither, with what was measured."""
    if theory is None:
        return "no function of one pixel"
    bound = (CLASSES - 1) / CLASSES
    ratio = "" if theory["ratio"] is None else f", r = {theory['ratio']:.4g}"
    if theory["symmetric"]:
        return f"symmetric, constant {theory['constant']:.6g}{ratio}"
    rate = theory["rate"]
    if rate is None:
        return "neither: robust by its matrix"
    # GCE and JS tolerate in theory no noise at all, and little within the accuracy of numbers.
    if theory["ratio"] == 0 or rate < 0.02:
        return f"neither{ratio}"
    return f"asymmetric{ratio}, up to {rate:.0%} noise" if rate < bound else f"asymmetric{ratio}"


def page(theory: dict[str, dict[str, Any]]) -> str:
    """The whole of docs/losses.md."""
    introduction, weights, differences = (
        (FOLDER / "losses" / name).read_text(encoding="utf-8").strip()
        for name in ("introduction.md", "class_weights.md", "differences.md")
    )
    lines = [introduction, "", "## All losses", "", *overview(theory), ""]
    lines += ["![Gradient weights of all losses](losses/all.svg)", "", weights, ""]
    lines += [differences, ""]
    for group, names in GROUPS.items():
        lines += [f"## {group}", ""]
        for name in names:
            lines += one_loss(name, theory)
    return "\n".join(lines).rstrip() + "\n"


def overview(theory: dict[str, dict[str, Any]]) -> list[str]:
    """A table of all short names."""
    lines = [
        "| short name | class | symmetric, asymmetric or neither |",
        "|:-----------|:------|:---------------------------------|",
    ]
    for group in GROUPS.values():
        for name in group:
            cls = class_of(name)
            for short in short_names_of(cls) or [name]:
                found = "regulariser" if says(cls, "regularizer") else ""
                if name.startswith("Normalized"):
                    found = (
                        f"symmetric, constant {1 if cls.__name__ == 'NormalizedLoss' else 'K - 1'}"
                    )
                elif short in BINARY:
                    found = "of one score, for missing labels"
                found = found or verdict(theory.get(short))
                link = f"[{cls.__name__}](#{cls.__name__.lower()})"
                shown = "" if short == name and name.startswith("Normalized") else f"`{short}`"
                lines.append(f"| {shown} | {link} | {found} |")
    return lines


def one_loss(name: str, theory: dict[str, dict[str, Any]]) -> list[str]:
    """The section of one class."""
    cls = class_of(name)
    parts = sections(cls)
    shorts = short_names_of(cls)
    lines = [f"### {cls.__name__}", ""]
    if shorts:
        lines += ["In configs: " + ", ".join(f"`{s}`" for s in shorts) + ".", ""]
    lines += [code(parts["summary"]), ""]
    if figure_lines(name):
        lines += [f"![Loss and gradient weight of {cls.__name__}](losses/{cls.__name__}.svg)", ""]
    for paragraph in parts["body"]:
        lines += [code(paragraph), ""]
    known = [s for s in shorts if s in theory]
    if known:
        texts = {verdict(theory[s]) for s in known}
        if len(texts) == 1:
            lines += [f"Measured with K = {CLASSES}: {texts.pop()}.", ""]
        else:
            each = "; ".join(f"{s}: {verdict(theory[s])}" for s in known)
            lines += [f"Measured with K = {CLASSES}: {each}.", ""]
    if parts["use"]:
        lines += [f"**When.** {code(parts['use'])}", ""]
    own = [
        (n, t)
        for n, t in parts["args"]
        if n not in ("mode", "**common", "mode, **common", "ignore_index")
    ]
    if own:
        lines += parameter_table(cls, own)
    for item in parts["shape"]:
        if "as in" not in item or ";" in item:
            lines += [f"- {code(item)}"]
    if parts["shape"]:
        lines.append("")
    if parts["source"]:
        lines += [f"Source: {code(parts['source'])}", ""]
    return lines


def figure_lines(name: str) -> list[tuple[str, Callable[[], Any]]]:
    """What the figure of a class shows: labels, and how to compute their curves."""
    cls = class_of(name)
    if name in BINARY:
        settings = [("a positive", build(name), 1), ("a negative", build(name), 0)]
        if name == "SPLC":
            late = build(name)
            late.set_epoch(1)
            settings.append(("a negative, corrected", late, 0))
        return [
            (label, lambda x=x, y=y: curves(x, points=POINTS, label=y)) for label, x, y in settings
        ]
    shorts = short_names_of(cls) or [name]
    if cls is ActivePassiveLoss:
        shorts = ["NCE+MAE", "NCE+RCE", "NCE+AGCE", "NCE+AUL", "NCE+AEL", "NFL+RCE"]
    lines = []
    for short in shorts:
        for own in ({}, *VARIANTS.get(short, ())):
            text = ", ".join(f"{k} = {v}" for k, v in own.items())
            label = text if text and len(shorts) == 1 else f"{short} {text}".strip()
            try:
                loss = build(short, **own)
                curves(loss, CLASSES, points=3)
            except (TypeError, ValueError):
                return []  # no function of one pixel
            if not text and len(shorts) == 1:
                label = default_label(loss, VARIANTS.get(short, ()))
            lines.append((label, lambda x=loss: curves(x, CLASSES, POINTS)))
    return lines


def default_label(loss: Any, variants: Any) -> str:
    """The defaults of what the variants change."""
    names = list(dict.fromkeys(k for own in variants for k in own))
    return ", ".join(f"{k} = {getattr(loss, k)}" for k in names if k != "base") or "default"


def figure(name: str, path: Path) -> None:
    """Loss and gradient weight of one class against the label's probability."""
    plot = plotting()
    axes = plot.subplots(1, 2, figsize=(7.2, 2.3), layout="constrained")
    picture, (left, right) = axes
    weights = []
    for colour, (label, compute) in zip(COLOURS, figure_lines(name), strict=False):
        found = compute()
        weights.append(found)
        left.plot(found.p, found.loss, color=colour, label=label, linewidth=1.4)
        right.plot(found.p, found.weight, color=colour, linewidth=1.4)
    left.set(ylabel="loss", xlabel="p of the label", xlim=(0, 1))
    right.set(ylabel="gradient weight (CE: 1)", xlabel="p of the label", xlim=(0, 1))
    right.axhline(1, color="#999999", linewidth=0.7, linestyle=":")
    right.set_ylim(*limits(weights))
    left.legend(fontsize=7, frameon=False)
    save(picture, path)


def limits(weights: list[Any]) -> tuple[float, float]:
    """The range of the gradient weights up to p = SHOWN; some grow as 1 / (1 - p) beyond."""
    shown = [found.weight[found.p <= SHOWN] for found in weights]
    low, high = min(float(w.min()) for w in shown), max(float(w.max()) for w in shown)
    return min(low, 0) - 0.03 * (high - low), high + 0.1 * (high - low)


def figure_of_all(path: Path) -> None:
    """Gradient weights of all losses, each scaled to its greatest up to p = SHOWN."""
    plot = plotting()
    names = [n for group in GROUPS.values() for n in group if figure_lines(n)]
    columns = 6
    rows = -(-len(names) // columns)
    picture, axes = plot.subplots(
        rows, columns, figsize=(9, 1.35 * rows), layout="constrained", sharex=True
    )
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, names, strict=False):
        lowest = 0.0
        for colour, (_, compute) in zip(COLOURS, figure_lines(name)[:3], strict=False):
            found = compute()
            shown = found.weight[found.p <= SHOWN].abs().max()
            axis.plot(found.p, found.weight / shown, color=colour, linewidth=1)
            lowest = min(lowest, float(found.weight.min() / shown))
        axis.set_title(name, fontsize=8)
        axis.set(xlim=(0, 1), ylim=(max(lowest, -1) - 0.05, 1.1), xticks=(0, 1), yticks=(0, 1))
        axis.tick_params(labelsize=6)
    save(picture, path)


def plotting() -> Any:
    """Matplotlib, set so that the same curves give the same file."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams.update(
        {
            "svg.hashsalt": "segnoise",
            "svg.fonttype": "none",
            "font.size": 8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "path.simplify_threshold": 0.3,
        }
    )
    pyplot.close("all")
    return pyplot


def save(picture: Any, path: Path) -> None:
    """Write an SVG without a date, to a tenth of a point."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, format="svg", metadata={"Date": None})
    text = "\n".join(line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    text = re.sub(r'\b(?:d|x|y|transform)="[^"]*"', lambda found: rounded(found[0]), text)
    path.write_text(text + "\n", encoding="utf-8")


def rounded(text: str) -> str:
    """The text with its long decimals cut to one."""
    return re.sub(r"-?\d+\.\d{2,}", lambda found: f"{float(found[0]):.1f}", text)


def figures(folder: Path) -> list[str]:
    """Write all figures; return their names."""
    names = []
    for group in GROUPS.values():
        for name in group:
            if name not in ("ER", "L1") and figure_lines(name):
                figure(name, folder / f"{class_of(name).__name__}.svg")
                names.append(f"{class_of(name).__name__}.svg")
    figure_of_all(folder / "all.svg")
    return [*names, "all.svg"]


def main() -> None:
    """Write the page and its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="measure the theory anew")
    arguments = parser.parse_args()
    stored = FOLDER / "losses" / "theory.json"
    theory = {} if arguments.measure else json.loads(stored.read_text(encoding="utf-8"))
    found = {**theory, **measure(name for name in measured_names() if name not in theory)}
    theory = {name: found[name] for name in measured_names() if name in found}
    stored.write_text(json.dumps(theory, indent=1) + "\n", encoding="utf-8")
    (FOLDER / "losses.md").write_text(page(theory), encoding="utf-8")
    figures(FOLDER / "losses")


if __name__ == "__main__":
    main()
