"""torch.compile without graph breaks, and torch.export, of every kind of loss."""

import shutil

import naive_losses
import pytest
import torch
from functorch.compile import make_boxed_func, min_cut_rematerialization_partition
from torch import nn
from torch._dynamo.backends.common import aot_autograd

from segnoise.losses import build_loss

COMPILER = pytest.mark.skipif(
    not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")),
    reason="no C++ compiler",
)


def weighted(case, mode):
    weights = [1.0, 2.0] if mode == "binary" else [1.0, 2.0, 0.5, 0.0, 3.0]
    return naive_losses.make(case, mode, ignore_index=255, class_weights=weights)


@pytest.fixture(autouse=True)
def _forget_graphs():
    torch.compiler.reset()


@pytest.mark.slow
def test_one_graph_equals_eager(make_batch, kind, mode):
    """The tracer and autograd of the graph; the code generator is tested below."""
    logits, labels, pixel_weights = make_batch(mode)
    loss = build_unhooked(kind, mode)
    torch.manual_seed(0)
    expected = loss(logits, labels, pixel_weights)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.manual_seed(0)
    value = compiled(logits, labels, pixel_weights)
    (gradient,) = torch.autograd.grad(value, logits)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def build_unhooked(kind, mode):
    """The loss without the hook that seeds NLNL, which no graph can hold."""
    loss = weighted(kind, mode)
    if kind[0] == "NLNL":
        loss._forward_pre_hooks.clear()
    return loss


@pytest.mark.slow
@COMPILER
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("ANL-CE", "binary"),
        ("NFL+AGCE", "multiclass"),
        ("ForwardCorrection", "multiclass"),
        ("Dice", "multilabel"),
        ("TLoss", "binary"),
        ("ER", "multiclass"),
    ],
)
def test_generated_code_equals_eager(make_batch, name, mode):
    logits, labels, _ = make_batch(mode)
    if name == "ER":
        loss = build_loss(name, mode=mode, ignore_index=255)
    else:
        loss = weighted((name, naive_losses.CASES[name]), mode)
    expected = loss(logits, labels)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    value = torch.compile(loss, fullgraph=True)(logits, labels)
    (gradient,) = torch.autograd.grad(value, logits)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.slow
def test_export(make_batch, kind, mode):
    logits, labels, pixel_weights = make_batch(mode, dtype=torch.float32)
    loss = build_unhooked(kind, mode)
    torch.manual_seed(0)
    expected = loss(logits, labels, pixel_weights)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    program = torch.export.export(loss, (logits, labels, pixel_weights))
    torch.manual_seed(0)
    value = program.module()(logits, labels, pixel_weights)
    torch.testing.assert_close(value, expected)
    (gradient,) = torch.autograd.grad(value, logits)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.slow
def test_weights_of_each_batch_and_an_epoch_need_no_new_graph(make_batch):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            common = {"mode": "multilabel", "ignore_index": 255}
            self.first = build_loss("GCE", class_weights="batch_inverse_sqrt", **common)
            self.second = build_loss("SPLC", **common)

        def forward(self, logits, labels):
            return self.first(logits, labels) + self.second(logits, labels)

    loss = Both()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for seed in range(3):
            logits, labels, _ = make_batch("multilabel", seed=seed)
            loss.second.set_epoch(seed)
            torch.testing.assert_close(compiled(logits, labels), loss(logits, labels))


@pytest.mark.slow
@COMPILER
def test_a_label_out_of_range_is_caught_in_a_compiled_loss():
    loss = torch.compile(build_loss("CE", mode="multiclass", ignore_index=255), fullgraph=True)
    with pytest.raises(RuntimeError, match=r"label is not in 0..2"):
        loss(torch.zeros(1, 3, 2), torch.tensor([[0, 37]]))


@pytest.mark.slow
@COMPILER
def test_soft_labels(make_batch):
    logits, _, _ = make_batch("multiclass")
    soft = torch.rand(logits.shape, dtype=torch.float64).softmax(1)
    loss = build_loss("CE", mode="multiclass")
    value = torch.compile(loss, fullgraph=True)(logits, soft)
    torch.testing.assert_close(value, loss(logits, soft))


@pytest.mark.parametrize("weighted", [False, True])
def test_soft_labels_have_the_eager_gradient(weighted):
    weights = [1.0, 2.0, 0.5] if weighted else None
    loss = build_loss("CE", mode="multiclass", class_weights=weights)
    logits = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.rand(2, 3, 4, 5, dtype=torch.float64).softmax(1)
    (expected,) = torch.autograd.grad(loss(logits, labels), logits)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    (gradient,) = torch.autograd.grad(compiled(logits, labels), logits)
    torch.testing.assert_close(gradient, expected)


def test_extreme_logits_have_the_float64_numbers():
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        loss = build_loss("ANL-CE", mode="multiclass", ignore_index=255)
        logits = (torch.randn(1, 4, 6, 7) * torch.logspace(-3, 4, 42).view(6, 7)).to(dtype)
        logits.requires_grad_()
        labels = torch.randint(0, 4, (1, 6, 7))
        labels[0, 0, :3] = 255
        exact = logits.detach().double().requires_grad_()
        expected = loss(exact, labels)
        (expected_gradient,) = torch.autograd.grad(expected, exact)
        compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
        value = compiled(logits, labels)
        (gradient,) = torch.autograd.grad(value, logits)
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)
        tolerance = {torch.float16: 1e-3, torch.bfloat16: 8e-3, torch.float32: 1e-5}[dtype]
        close = dict(rtol=tolerance, atol=1e-6)
        torch.testing.assert_close(gradient.double(), expected_gradient, **close)


@pytest.mark.parametrize("name", ["CE", "NFL+AGCE"])
def test_the_backward_graph_reads_the_logits_once(name):
    """It is elementwise: no sum, no scatter, nothing that takes a loop of its own."""
    loss = build_loss(name, mode="multiclass")
    graphs = []

    def recorded(graph, inputs):
        calls = [n for n in graph.graph.nodes if n.op == "call_function"]
        graphs.append([str(call.target) for call in calls])
        return make_boxed_func(graph.forward)

    backend = aot_autograd(
        fw_compiler=lambda graph, inputs: make_boxed_func(graph.forward),
        bw_compiler=recorded,
        partition_fn=min_cut_rematerialization_partition,
    )
    logits = torch.randn(2, 5, 8, 8, requires_grad=True)
    torch.compile(loss, backend=backend)(logits, torch.randint(0, 5, (2, 8, 8))).backward()
    (operations,) = graphs
    assert operations.count("aten.exp.default") == 1
    loops = ("sum", "scatter", "gather", "amax", "index", "softmax")
    assert not [o for o in operations if any(loop in o for loop in loops)]
