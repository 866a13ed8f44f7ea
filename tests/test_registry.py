"""One lookup for all that a config names: by name, by dotted path, or as what it is."""

import sys

import pytest

from segnoise.datasets import DATASETS, LABELS, TRANSFORMS
from segnoise.engine.hooks import HOOKS
from segnoise.errors import ConfigError
from segnoise.losses import LOSSES, build_loss
from segnoise.methods import METHODS
from segnoise.models import MODELS
from segnoise.noise import NOISES, SymmetricFlip
from segnoise.registry import Registry, import_module, imported, path_of

ALL = [DATASETS, LABELS, TRANSFORMS, HOOKS, LOSSES, METHODS, MODELS, NOISES]


@pytest.mark.parametrize("registry", ALL, ids=lambda r: r.kind)
def test_what_is_registered_late_is_found_in_all_ways(registry):
    class Late:
        pass

    try:
        assert registry.register(Late) is Late
        assert registry.find("Late") is Late
        assert registry.find(path_of(Late), modules=()) is Late, "no import is needed"
        assert registry.find(Late) is Late
        with pytest.raises(ConfigError, match="did you mean Late"):
            registry.find("late", where="x")
    finally:
        del registry["Late"]


def test_a_noise_that_is_registered_late_is_one_of_a_config():
    NOISES["Late"] = SymmetricFlip
    try:
        assert LABELS.find("Late") is SymmetricFlip
    finally:
        del NOISES["Late"]


def test_another_name_and_a_taken_one():
    table = Registry("thing", {"a": int})
    assert table.register(name="b")(float) is float
    assert table.find("b") is float
    assert table.register(name="a")(int) is int, "the same again, as in a notebook"
    with pytest.raises(ConfigError, match="there is a thing a already"):
        table.register(name="a")(str)
    with pytest.raises(ConfigError, match="dots are for modules"):
        table.register(name="a.b")(str)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of a user's that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("class A:\n  class B: pass", "own_a.A.C", "own_a.A has no 'C'"),
        ("def smear(): pass", "own_b.smeer", "did you mean smear"),
        ("x = 3", "own_c.x", "is no class or function"),
        ("import nothing_such", "own_d.x", "ModuleNotFoundError: No module named 'nothing_such'"),
        ("def f(:", "own_e.x", "SyntaxError"),
        ("1 / 0", "own_f.x", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "own_g.x", "SystemExit: 3"),
        ("", "nowhere_such.x", "there is no module nowhere_such; put its folder on PYTHONPATH"),
        ("", "own_h.f.<locals>.x", "define it at the top of a module"),
        ("", "a..b", "define it at the top of a module"),
    ],
)
def test_imports_that_fail_are_one_line(module, text, path, words):
    module(path.partition(".")[0], text)
    if path.startswith("nowhere_such"):
        path = f"not_{path}"
        words = words.replace("nowhere", "not_nowhere")
    with pytest.raises(ConfigError) as error:
        NOISES.find(path, where="noise")
    assert words in str(error.value)
    assert str(error.value).startswith("noise.type: ")
    assert "\n" not in str(error.value)


def test_a_class_within_a_class(module):
    module("own_i", "class A:\n  class B: pass")
    assert imported("own_i.A.B", "noise.type").__qualname__ == "A.B"


def test_a_config_that_is_data_imports_what_is_allowed(module):
    module("own_j", "def noise(mask, rng): return mask.copy()")
    for path in ("os.system", "own_j.noise"):
        with pytest.raises(ConfigError, match=r"may not import .*--allow-imports (os|own_j)"):
            NOISES.find(path, "noise", modules=["own"])
    assert "own_j" not in sys.modules
    assert NOISES.find("own_j.noise", "noise", modules=["own_j"]).__name__ == "noise"
    assert NOISES.find("SymmetricFlip", "noise", modules=()) is SymmetricFlip
    assert NOISES.find(path_of(SymmetricFlip), "noise", modules=()) is SymmetricFlip
    with pytest.raises(ConfigError, match=r"segnoise\.files has no 'SymmetricFlip'"):
        NOISES.find("segnoise.files.SymmetricFlip", "noise")
    with pytest.raises(ConfigError, match="may not import 'own_k'"):
        import_module("own_k", "custom_imports", modules=["own_j"])


def test_losses_are_built_by_all_of_them(module):
    module(
        "own_l",
        "from segnoise.losses import LOSSES, CrossEntropyLoss\n"
        "@LOSSES.register\nclass Mine(CrossEntropyLoss): pass\n",
    )
    try:
        by_path = build_loss("own_l.Mine", mode="binary")
        assert type(build_loss("Mine", mode="binary")) is type(by_path)
        assert type(build_loss(type(by_path), mode="binary")) is type(by_path)
    finally:
        del LOSSES["Mine"]
