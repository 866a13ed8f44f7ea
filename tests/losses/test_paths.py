"""Which way computes a loss: chosen by time among those that give the eager numbers."""

import json
import logging
import shutil

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from segnoise import kernels
from segnoise.losses import build_loss
from segnoise.losses.core import paths


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    return tmp_path / "segnoise"


def timed(monkeypatch, seconds):
    """Let the ways take these seconds, in their order, whatever they do."""
    clock = iter(seconds)
    monkeypatch.setattr(paths, "_seconds", lambda run, logits: next(clock))


def same(logits):
    return logits.square().sum()


@pytest.mark.parametrize(
    ("seconds", "path"),
    [
        ((1.0, 2.0, 2.0), "eager"),
        ((1.0, 0.9, 0.9), "eager"),  # not by so much that compiling would pay
        ((1.0, 0.5, 0.45), "compile"),
        ((1.0, 0.5, 0.43), "triton"),
        ((1.0, 2.0, 0.5), "triton"),
        ((1.0, 0.95, 0.85), "triton"),
    ],
)
def test_a_path_must_be_worth_it(monkeypatch, seconds, path):
    timed(monkeypatch, seconds)
    ways = dict.fromkeys(paths.PATHS, same)
    assert paths.measured(ways, torch.randn(2, 3, 4)) == path


def raising(logits):
    raise RuntimeError("no compiler\nhere")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda z: 1.001 * z.square().sum(), "its value is off by"),
        (lambda z: z.square().sum().detach() + z.sum() - z.sum(), "its gradient is off by"),
        (lambda z: z.square().sum() * torch.nan, "is off by nan"),
        (raising, "no compiler)"),
    ],
)
def test_a_path_without_the_eager_numbers_is_not_taken(monkeypatch, caplog, wrong, words):
    timed(monkeypatch, [1.0, 0.5])
    ways = {"eager": same, "compile": wrong, "triton": same}
    with caplog.at_level(logging.WARNING):
        assert paths.measured(ways, torch.randn(2, 3, 4), "a loss") == "triton"
    (record,) = caplog.records
    assert record.getMessage().startswith("a loss: eager 1000.00 ms, compile not usable (")
    assert words in record.getMessage()


def test_where_nothing_works_the_call_itself_says_why():
    assert paths.measured(dict.fromkeys(paths.PATHS, raising), torch.ones(3)) == "auto"


def test_timing_draws_no_random_numbers_of_the_caller():
    def noisy(logits):
        return (logits * torch.rand(3)).sum()

    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    with torch.no_grad():
        paths.measured({"eager": noisy, "compile": noisy}, torch.ones(3))
    assert torch.equal(torch.rand(4), expected)


def test_the_first_choice_that_is_kept_stands(folder):
    """Another process may be first while this one measures; later ones measure nothing."""

    def overtaken():
        assert paths.kept("a loss", lambda: "triton") == "triton"
        return "compile"

    assert paths.kept("a loss", overtaken) == "triton"
    assert paths.kept("a loss", lambda: 1 / 0) == "triton"
    assert paths.kept("another", lambda: "eager") == "eager"
    (one, other) = sorted(json.loads(file.read_text())["of"] for file in folder.iterdir())
    assert (one, other) == ("a loss", "another")


def test_without_a_place_to_keep_it_nothing_is_timed(folder, caplog):
    folder.write_text("a file where the folder would be")
    assert paths.kept("a loss", lambda: 1 / 0) == "auto"
    assert "no choice of kernels can be kept" in caplog.text


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"path": "rm -rf"}'])
def test_a_damaged_file_chooses_nothing(folder, content):
    paths.kept("a loss", lambda: "eager")
    (file,) = folder.iterdir()
    file.write_text(content)
    assert paths.kept("a loss", lambda: "compile") == "auto"


def test_on_a_cpu_nothing_is_timed(monkeypatch, folder, make_batch):
    monkeypatch.setattr(paths, "fastest", None)
    logits, labels, _ = make_batch("multiclass")
    build_loss("CE", mode="multiclass", ignore_index=255)(logits, labels).backward()
    assert not folder.exists()


@pytest.fixture
def on_a_gpu(monkeypatch):
    """Times as of a GPU, where the graph and Triton give eager numbers; the paths that ran."""
    ran = []

    def graph(loss, target, pixel_weights):
        ran.append("compile")
        return loss.value(target, pixel_weights)

    def use_triton(scores, check):
        ran.append("eager" if kernels.wanted() == "eager" else "triton")
        return False

    monkeypatch.setattr(paths, "_can_be_timed", lambda *_: True)
    monkeypatch.setattr(paths, "as_one_graph", graph)
    monkeypatch.setattr("segnoise.losses.core.statistics.use_triton", use_triton)
    return ran


@pytest.mark.parametrize(
    ("seconds", "path"),
    [((1.0, 2.0, 2.0), "eager"), ((1.0, 0.1, 2.0), "compile"), ((1.0, 2.0, 0.1), "triton")],
)
def test_the_fastest_computes_from_then_on(monkeypatch, on_a_gpu, make_batch, seconds, path):
    timed(monkeypatch, seconds)  # three times, and never again
    logits, labels, _ = make_batch("multiclass", dtype=torch.float32)
    for _ in range(2):  # a second process, or a resumed one, would read the file
        loss = build_loss("GCE", mode="multiclass", ignore_index=255)
        first = loss(logits, labels)
        on_a_gpu.clear()
        assert loss(logits, labels) == first
        assert on_a_gpu[0] == path
    monkeypatch.setenv(kernels.VARIABLE, "eager")
    on_a_gpu.clear()
    loss(logits, labels)
    assert on_a_gpu == ["eager"]


def test_images_of_ever_new_sizes_are_not_compiled_each(monkeypatch, on_a_gpu):
    timed(monkeypatch, [1.0, 0.1, 2.0] * 9)
    loss = build_loss("GCE", mode="multiclass")
    for width in range(2, 2 + paths.SHAPES + 1):
        logits = torch.zeros(1, 3, 2, width, requires_grad=True)
        labels = torch.zeros(1, 2, width, dtype=torch.long)
        on_a_gpu.clear()
        loss(logits, labels)
    assert on_a_gpu[-1] == "triton"  # as without a choice


def test_a_choice_is_by_loss_classes_size_and_what_computes():
    logits = torch.zeros(2, 21, 100, 100)
    loss = build_loss("NCE+AGCE", mode="multiclass", class_weights=[1.0] * 21)
    words = paths._described(loss, logits, None)
    other = build_loss("NCE+AGCE", mode="multiclass", class_weights=[2.0] * 21)
    assert paths._described(other, logits[:, :, 1:], None) == words
    assert "a=6.0, q=1.5" in words
    assert "21 channels, 2^15 pixels, torch.float32, channels first; CPU, torch 2." in words
    seen = {words}
    seen.add(paths._described(build_loss("NCE+RCE", mode="multiclass"), logits, None))
    seen.add(paths._described(loss, logits.bfloat16(), None))
    seen.add(paths._described(loss, logits.to(memory_format=torch.channels_last), None))
    seen.add(paths._described(loss, logits[:1], None))
    seen.add(paths._described(loss, logits, torch.ones(2, 100, 100)))
    clipped = build_loss("LogitClip", base="NCE+AGCE", mode="multiclass")
    plain = build_loss("NCE+AGCE", mode="multiclass")
    seen |= {paths._described(clipped.base, logits, None), paths._described(plain, logits, None)}
    assert len(seen) == 8


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler")
def test_a_graph_is_timed_and_computes_under_checkpointing(monkeypatch, folder, make_batch):
    """Hooks on saved tensors see neither the timing nor tensors that a second pass would lack."""
    monkeypatch.setattr(paths, "_can_be_timed", lambda *_: True)
    timed(monkeypatch, [1.0, 0.1, 2.0])
    logits, labels, weights = make_batch("multiclass", dtype=torch.float32)
    loss = build_loss("ANL-CE", mode="multiclass", ignore_index=255)

    def gradient(run):
        return torch.autograd.grad(run(logits.clone(), labels, weights), logits)[0]

    with kernels.using("eager"):
        expected = gradient(loss)

    def saved(*arguments):
        return checkpoint(loss, *arguments, use_reentrant=False)

    torch.testing.assert_close(gradient(saved), expected)
    with torch.autograd.graph.save_on_cpu():
        torch.testing.assert_close(gradient(loss), expected)
    assert not paths._failed
    (file,) = folder.iterdir()
    assert json.loads(file.read_text())["path"] == "compile"
