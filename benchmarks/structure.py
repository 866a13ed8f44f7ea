"""How large the code is, and how far one must walk in it.

    python benchmarks/structure.py

Counts modules, lines and full folders, and what must be read to understand one thing: the modules
of ours that its module imports, directly or not, inside the packages where it is at home. A package
that is imported as a whole is one door: its __init__.py, and not what lies behind it.
"""

from __future__ import annotations

import ast
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FULL = 25  # files in a folder
# What somebody wants to understand: a module, and the packages whose modules count.
THINGS = {
    "ActiveNegativeLoss": ("segnoise.losses.composition", ("segnoise.losses",)),
    "BoundaryErosion": ("segnoise.noise.models.boundary", ("segnoise.noise",)),
    "train()": ("segnoise.engine.train", ("segnoise.engine",)),
}


def lines(files: list[Path]) -> list[int]:
    """Lines of each file."""
    return [len(file.read_text(encoding="utf-8").splitlines()) for file in files]


def module_file(name: str) -> Path | None:
    """The file of a module of ours."""
    path = ROOT.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.exists():
            return file
    return None


def imported(file: Path) -> Iterator[str]:
    """Names of the modules that a file imports when it runs, at the top or later."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body.clear()
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached(module: str, packages: tuple[str, ...]) -> set[Path]:
    """Files that a module needs inside the packages, itself among them."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = module_file(name)
        if file is None or file in found or not name.startswith(packages):
            continue
        door = file.name == "__init__.py"
        if not (door and name in packages):
            found.add(file)
        waiting += () if door else imported(file)
    return found


def main() -> None:
    """Print the measures."""
    for folder in ("segnoise", "tools", "configs", "tests", "benchmarks", "docs"):
        files = [f for f in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in f.parts]
        counts = lines(files)
        print(
            f"{folder:11} {len(files):4} files {sum(counts):6} lines, "
            f"median {statistics.median(counts):.0f}, longest {max(counts)}"
        )
    parents = Counter(f.parent for f in (ROOT / "segnoise").rglob("*.py"))
    full = {str(p.relative_to(ROOT)): n for p, n in parents.items() if n > FULL}
    print(f"folders of segnoise with more than {FULL} files: {full or 'none'}")
    for thing, (module, packages) in THINGS.items():
        files = sorted(reached(module, packages))
        print(f"to understand {thing}: {len(files)} files, {sum(lines(files))} lines")


if __name__ == "__main__":
    main()
