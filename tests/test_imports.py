"""Imports point one way: packages below know nothing of those above."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "segnoise"
ROOT = PACKAGE.parent

# What a package may import, besides itself and the standard library.
ALLOWED = {
    "noise": {
        "numpy", "cv2",
        "segnoise.checks", "segnoise.naming", "segnoise.pictures", "segnoise.registry",
        "segnoise.tables",
    },
    "pictures.py": {"numpy"},
    "tables.py": set(),
    "naming.py": set(),
    "checks.py": {"segnoise.errors"},
    "registry.py": {"segnoise.checks", "segnoise.errors", "segnoise.naming"},
    "kernels.py": {"torch", "segnoise.naming"},
    # torch itself depends on typing_extensions.
    "losses": {
        "torch", "typing_extensions", "segnoise.errors",
        "segnoise.checks", "segnoise.kernels", "segnoise.naming", "segnoise.registry",
        "segnoise.version",
    },
    "losses/core/triton_path.py": {"torch", "triton"},  # imported only where Triton computes
    "losses/core/triton_kernels.py": {"triton"},
    "metrics/functional.py": {"torch"},
    "metrics/scores.py": {"torch", "segnoise.kernels"},
    "metrics/triton_counts.py": {"torch", "triton"},
    "metrics/triton_kernels.py": {"triton"},
    "metrics/volumes.py": {"numpy", "mmengine", "segnoise.errors"},  # and SciPy where it scores
    "drawing.py": {"numpy", "cv2", "PIL", "segnoise.files", "segnoise.tables"},
    "errors.py": {"segnoise.tables"},
    "files.py": {"segnoise.errors", "segnoise.records"},
    "lock.py": {"segnoise.errors", "segnoise.records"},
    "output_folder.py": {
        "segnoise.errors", "segnoise.files", "segnoise.lock", "segnoise.records",
        "segnoise.version",
    },
    "pages.py": {"numpy", "cv2", "segnoise.tables"},
    "records.py": {"segnoise.errors"},
    "metrics": {"torch", "mmengine"},
    "datasets": {
        "numpy", "cv2", "PIL", "torch",
        "segnoise.noise", "segnoise.checks", "segnoise.errors", "segnoise.files",
        "segnoise.lock", "segnoise.naming", "segnoise.output_folder", "segnoise.parallel",
        "segnoise.records", "segnoise.registry", "segnoise.tables", "segnoise.version",
    },
    "parallel.py": {"cv2", "tqdm", "segnoise.errors"},
    "ray_cluster.py": {"cv2", "ray", "segnoise.errors", "segnoise.parallel"},
    "datasets/augmentations.py": {
        "numpy", "cv2", "torch", "albumentations", "pydantic", "segnoise.checks",
        "segnoise.errors", "segnoise.naming", "segnoise.noise", "segnoise.registry",
    },
    "inspection": {
        "numpy", "cv2", "PIL", "tqdm", "segnoise.checks", "segnoise.datasets", "segnoise.drawing",
        "segnoise.errors", "segnoise.files", "segnoise.naming", "segnoise.noise", "segnoise.pages",
        "segnoise.parallel", "segnoise.pictures", "segnoise.tables",
    },
    "models": {
        "torch", "numpy", "mmengine", "segmentation_models_pytorch", "huggingface_hub",
        "safetensors", "timm", "segnoise.losses", "segnoise.methods",
        "segnoise.metrics.scores", "segnoise.errors", "segnoise.checks", "segnoise.naming",
        "segnoise.registry",
    },
    "methods": {
        "torch", "numpy", "cv2", "segnoise.losses", "segnoise.errors",
        "segnoise.metrics.functional", "segnoise.metrics.scores", "segnoise.checks",
        "segnoise.naming", "segnoise.registry",
    },
}  # fmt: skip
STDLIB = __import__("sys").stdlib_module_names


def rule(file: Path) -> tuple[str, set[str]] | None:
    path = file.relative_to(PACKAGE).as_posix()
    package = path.split("/")[0]
    for key in (path, package):
        if key in ALLOWED:
            return package, ALLOWED[key]
    return None


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


def violations(file: Path) -> list[str]:
    found = rule(file)
    if found is None:
        return []
    package, allowed = found
    permitted = allowed | {f"segnoise.{package.removesuffix('.py')}"}
    return [
        name
        for name in sorted(imported(file))
        if name.split(".")[0] not in STDLIB and not any(within(name, a) for a in permitted)
    ]


def test_imports_point_one_way():
    found = {file.relative_to(ROOT).as_posix(): violations(file) for file in PACKAGE.rglob("*.py")}
    assert {file: names for file, names in found.items() if names} == {}


def test_only_tools_and_the_command_know_the_tools():
    for file in PACKAGE.rglob("*.py"):
        if file.name != "cli.py" or file.parent != PACKAGE:
            assert not any(within(name, "segnoise.tools") for name in imported(file)), file


def test_one_file_imports_albumentations():
    files = [
        f for f in PACKAGE.rglob("*.py") if any(within(n, "albumentations") for n in imported(f))
    ]
    assert [f.relative_to(PACKAGE).as_posix() for f in files] == ["datasets/augmentations.py"]


def test_one_file_imports_ray():
    files = [f for f in PACKAGE.rglob("*.py") if any(within(n, "ray") for n in imported(f))]
    assert [f.relative_to(PACKAGE).as_posix() for f in files] == ["ray_cluster.py"]


def test_a_violation_is_seen(tmp_path, monkeypatch):
    file = PACKAGE / "losses" / "x.py"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "from segnoise.engine import train")
    assert violations(file) == ["segnoise.engine.train"]
