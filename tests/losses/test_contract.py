"""What every loss promises its caller: void, weights, label types, soft labels, errors."""

import itertools

import naive_losses
import pytest
import torch

from segnoise.losses import LOSSES, build_loss, check_labels

SOFT = sorted(
    name for name in naive_losses.CASES if getattr(LOSSES[name], "admits_soft_labels", False)
)


def test_all_void_is_zero_with_a_graph_and_a_zero_gradient(kind, make_batch, mode):
    logits, labels, weights = make_batch(mode, dtype=torch.float32)
    labels = torch.full_like(labels, 255)
    for reduction, weighted in itertools.product(("mean", "sum", "none"), (False, True)):
        class_weights = ([1.0, 2.0] if mode == "binary" else [1.0] * 5) if weighted else None
        loss = naive_losses.make(
            kind, mode, ignore_index=255, reduction=reduction, class_weights=class_weights
        )
        value = loss(logits, labels, weights if weighted else None)
        assert (value == 0).all()
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert (gradient == 0).all()


def test_weights_of_zero_give_zero_not_nan(kind, make_batch):
    logits, labels, weights = make_batch("multiclass")
    value = naive_losses.make(kind, "multiclass", ignore_index=255)(
        logits, labels, torch.zeros_like(weights)
    )
    (gradient,) = torch.autograd.grad(value, logits)
    assert value == 0
    assert (gradient == 0).all()


def test_logits_and_weights_of_void_pixels_change_nothing(kind, make_batch, mode):
    logits, labels, weights = make_batch(mode)
    void = labels == 255
    loss = naive_losses.make(kind, mode, ignore_index=255)
    expected = loss(logits, labels, weights)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    where = void if mode == "multilabel" else void.unsqueeze(1)
    changed = logits.detach().masked_fill(where, 1e3).requires_grad_()
    value = loss(changed, labels, weights.masked_fill(void, float("inf")))
    (gradient,) = torch.autograd.grad(value, changed)
    assert torch.equal(value, expected)
    assert torch.equal(gradient, expected_gradient)
    assert (gradient.masked_select(where) == 0).all()


def test_mean_is_the_sum_over_the_valid_pixels_weights(make_batch):
    logits, labels, weights = make_batch("multiclass")
    valid = labels != 255
    common = {"mode": "multiclass", "ignore_index": 255}
    total = build_loss("ANL-CE", reduction="sum", **common)
    mean = build_loss("ANL-CE", **common)
    torch.testing.assert_close(mean(logits, labels), total(logits, labels) / valid.sum())
    torch.testing.assert_close(
        mean(logits, labels, weights), total(logits, labels, weights) / weights[valid].sum()
    )


INTEGERS = ("uint8", "int8", "int16", "int32", "int64", "uint16", "uint32")


@pytest.mark.parametrize("mode", naive_losses.MODES)
def test_any_integer_type(make_batch, mode):
    logits, labels, _ = make_batch(mode)
    expected = build_loss("ANL-CE", mode=mode, ignore_index=255)(logits, labels)
    for dtype in INTEGERS:
        void = 127 if dtype == "int8" else 255
        typed = labels.masked_fill(labels == 255, void).to(getattr(torch, dtype))
        value = build_loss("ANL-CE", mode=mode, ignore_index=void)(logits, typed)
        assert torch.equal(value, expected), dtype


def test_an_ignore_index_outside_the_dtype_does_not_wrap_around():
    # As uint8, -100 is 156.
    logits = torch.randn(1, 200, 1)
    loss = build_loss("CE", mode="multiclass", ignore_index=-100)
    assert loss(logits, torch.tensor([[156]], dtype=torch.uint8)) > 0
    assert loss(logits, torch.tensor([[-100]])) == 0


def test_float_masks_of_0_and_1_are_class_ids(kind, make_batch, mode):
    logits, labels, _ = make_batch(mode)
    loss = naive_losses.make(kind, mode, ignore_index=255)
    floats = labels.float().unsqueeze(1) if mode == "binary" else labels.float()
    if mode == "multiclass":
        with pytest.raises(TypeError, match=r"call \.long\(\)"):
            loss(logits, floats)
        return
    expected = torch.autograd.grad(loss(logits, labels), logits)[0]
    torch.testing.assert_close(
        torch.autograd.grad(loss(logits, floats), logits)[0], expected, rtol=1e-12, atol=1e-15
    )


def test_bool_masks_are_class_ids(make_batch):
    logits, labels, _ = make_batch("binary", void=False)
    loss = build_loss("ANL-CE", mode="binary")
    assert torch.equal(loss(logits, labels.bool()), loss(logits, labels))


def test_pixel_weights_of_all_shapes(make_batch):
    logits, labels, weights = make_batch("binary")
    loss = build_loss("NCE", mode="binary", ignore_index=255)
    assert torch.equal(loss(logits, labels, weights[:, None]), loss(logits, labels, weights))
    logits, labels, weights = make_batch("multilabel")
    loss = build_loss("NCE", mode="multilabel", ignore_index=255)
    plane = weights[:, 0]
    everywhere = plane.unsqueeze(1).expand_as(weights)
    assert torch.equal(loss(logits, labels, plane), loss(logits, labels, everywhere))


def test_gradients_reach_pixel_weights(make_batch):
    logits, labels, weights = make_batch("multiclass")
    weights.requires_grad_()
    build_loss("CE", mode="multiclass", ignore_index=255)(logits, labels, weights).backward()
    valid = labels != 255
    assert (weights.grad[valid] != 0).all()
    assert (weights.grad[~valid] == 0).all()


def test_pixel_weights_may_be_learned(kind, mode, make_batch):
    logits, labels, weights = make_batch(mode, num_classes=3, pixels=2)
    loss = naive_losses.make(kind, mode, 3, ignore_index=255)
    weights = weights.clone().clamp_min(0.1).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, labels, weights), weights)
    step = 1e-6
    for position in (weights.detach() >= 0).nonzero().tolist():
        values = []
        for sign in (1, -1):
            moved = weights.detach().clone()
            moved[tuple(position)] += sign * step
            values.append(loss(logits, labels, moved).item())
        slope = (values[0] - values[1]) / (2 * step)
        assert gradient[tuple(position)].item() == pytest.approx(slope, rel=1e-4, abs=1e-6)


class TestSoftLabels:
    @pytest.mark.parametrize("name", SOFT)
    def test_one_hot_is_ids(self, make_batch, name):
        logits, labels, weights = make_batch("multiclass", void=False)
        soft = torch.nn.functional.one_hot(labels, 5).movedim(-1, 1).float()
        for reduction, class_weights in itertools.product(
            ("mean", "sum", "none"), (None, [0.25, 1.75, 0.0, 1.0, 2.5])
        ):
            common = {"reduction": reduction, "class_weights": class_weights}
            loss = naive_losses.make((name, naive_losses.CASES[name]), "multiclass", **common)
            expected = loss(logits, labels, weights)
            value = loss(logits, soft, weights)
            torch.testing.assert_close(value, expected)
            upstream = torch.ones_like(value)
            torch.testing.assert_close(
                torch.autograd.grad(value, logits, upstream)[0],
                torch.autograd.grad(expected, logits, upstream)[0],
            )

    @pytest.mark.parametrize("name", sorted({*SOFT} - {"SR"}))
    def test_floats_0_and_1_are_ids(self, make_batch, name):
        for mode in ["binary", "multilabel"]:
            logits, labels, weights = make_batch(mode)
            common = {
                "ignore_index": 255,
                "class_weights": [0.5, 2.0] if mode == "binary" else [0.25, 1.75, 0.0, 1.0, 2.5],
            }
            loss = naive_losses.make((name, naive_losses.CASES[name]), mode, **common)
            expected, value = loss(logits, labels, weights), loss(logits, labels.double(), weights)
            torch.testing.assert_close(value, expected)

    @pytest.mark.parametrize("mode", ["binary", "multilabel"])
    def test_binary_halves(self, make_batch, mode):
        logits, labels, weights = make_batch(mode, void=False)
        class_weights = [0.5, 2.0] if mode == "binary" else [0.25, 1.75, 0.0, 1.0, 2.5]
        loss = build_loss("CE", mode=mode, reduction="sum", class_weights=class_weights)
        halves = torch.full_like(labels, 0.5, dtype=torch.float64)
        expected = (loss(logits, labels, weights) + loss(logits, 1 - labels, weights)) / 2
        torch.testing.assert_close(loss(logits, halves, weights), expected)

    def test_soft_labels_are_pytorchs(self, make_batch):
        logits, _, _ = make_batch("multiclass")
        soft = torch.rand(logits.shape, dtype=torch.float64).softmax(1)
        torch.testing.assert_close(
            build_loss("CE", mode="multiclass")(logits, soft),
            torch.nn.functional.cross_entropy(logits, soft),
        )

    @pytest.mark.parametrize("mode", ["binary", "multilabel"])
    def test_void_among_probabilities(self, make_batch, mode):
        logits, labels, _ = make_batch(mode)
        soft = torch.where(labels == 255, 255.0, 0.25 + 0.5 * labels)
        loss = build_loss("CE", mode=mode, ignore_index=255, reduction="none")
        value = loss(logits, soft)
        assert ((value == 0) == (labels == 255)).all()

    def test_where_the_formula_admits_none(self, make_batch):
        logits, _, _ = make_batch("multiclass")
        with pytest.raises(TypeError, match="admits no soft"):
            build_loss("GCE", mode="multiclass")(logits, logits.detach().softmax(1))
        with pytest.raises(ValueError, match=r"label 0\.3 at position \(0, 1\) is not 0 or 1"):
            build_loss("GCE", mode="binary")(torch.zeros(1, 1, 2), torch.tensor([[1.0, 0.3]]))


class TestErrors:
    @pytest.mark.parametrize(
        ("mode", "scores", "labels", "message"),
        [
            ("multiclass", (2, 3, 4, 5), (2, 4, 4), r"\(2, 4, 5\), got \(2, 4, 4\)"),
            ("multiclass", (2, 3, 4, 5), (2, 2, 4, 5), r"\(2, 4, 5\), got \(2, 2, 4, 5\)"),
            ("multiclass", (2, 3, 4, 5), (2, 3, 4, 5), r"\(2, 4, 5\), got \(2, 3, 4, 5\)"),
            ("multiclass", (2, 1, 4, 5), (2, 4, 5), "at least 2 classes"),
            ("multiclass", (4,), (4,), "batch and a class axis"),
            ("binary", (2, 2, 4, 5), (2, 4, 5), r"\(N, 1, ...\), got \(2, 2, 4, 5\)"),
            ("binary", (2, 1, 4, 5), (3, 4, 5), r"\(2, 4, 5\), got \(3, 4, 5\)"),
            ("multilabel", (2, 3, 4, 5), (2, 4, 5), r"\(2, 3, 4, 5\), got \(2, 4, 5\)"),
        ],
    )
    def test_shapes(self, mode, scores, labels, message):
        with pytest.raises(ValueError, match=message):
            build_loss("ANL-CE", mode=mode)(torch.zeros(scores), torch.zeros(labels).long())

    @pytest.mark.parametrize(
        ("label", "void", "message"),
        [
            (37, 255, r"label 37 at position \(1, 0, 2\) is not in 0..2 \(ignore_index is 255\)"),
            (255, None, r"label 255 at position \(1, 0, 2\) .* \(no ignore_index\)"),
            (3, 255, "label 3 "),
            (-1, 255, "label -1 "),
        ],
    )
    def test_a_label_out_of_range_is_named_with_its_position(self, label, void, message):
        labels = torch.zeros(2, 3, 4, dtype=torch.long)
        labels[0, 1, 1] = 255 if void else 0
        labels[1, 0, 2] = label
        loss = build_loss("ANL-CE", mode="multiclass", ignore_index=void)
        with pytest.raises(ValueError, match=message):
            loss(torch.zeros(2, 3, 3, 4), labels)
        with pytest.raises(ValueError, match=message):
            check_labels(labels, 3, void)

    def test_binary_255_masks(self):
        with pytest.raises(ValueError, match=r"label 255 .* is not in 0..1"):
            build_loss("CE", mode="binary")(torch.zeros(1, 1, 1), torch.tensor([[255]]))
        with pytest.raises(ValueError, match=r"label 255 .* is not a probability"):
            build_loss("CE", mode="binary")(torch.zeros(1, 1, 1), torch.tensor([[255.0]]))

    def test_nan_labels(self):
        with pytest.raises(ValueError, match="label nan"):
            build_loss("CE", mode="binary")(torch.zeros(1, 1, 1), torch.tensor([[torch.nan]]))

    def test_dtypes(self):
        loss = build_loss("CE", mode="multiclass")
        with pytest.raises(TypeError, match=r"call \.long\(\)"):
            loss(torch.zeros(1, 3, 2), torch.zeros(1, 2))
        with pytest.raises(TypeError, match=r"floating point, got torch\.int64"):
            loss(torch.zeros(1, 3, 2).long(), torch.zeros(1, 2).long())
        with pytest.raises(TypeError, match="must be tensors, got Tensor and list"):
            loss(torch.zeros(1, 3, 2), [[0, 1]])

    def test_devices(self):
        labels = torch.zeros(1, 2, dtype=torch.long, device="meta")
        with pytest.raises(ValueError, match="scores are on cpu, labels on meta"):
            build_loss("CE", mode="multiclass")(torch.zeros(1, 3, 2), labels)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"mode": "multi"}, "unknown mode 'multi'.*Known: binary, multiclass, multilabel"),
            ({"reduction": "avg"}, "unknown reduction 'avg'"),
            ({"class_weights": []}, "must be a vector"),
            ({"class_weights": [[1.0]]}, "must be a vector"),
            ({"class_weights": [1.0, -1.0]}, r"finite, >= 0 .* got \[1.0, -1.0\]"),
            ({"class_weights": [1.0, float("nan")]}, "finite"),
            ({"class_weights": [0.0, 0.0]}, "not all 0"),
            ({"mode": "binary", "class_weights": [1.0]}, r"\(negative, positive\), got \[1.0\]"),
            ({"class_weights": "batch_inverse_sqr"}, "did you mean batch_inverse_sqrt"),
        ],
    )
    def test_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            build_loss("CE", **({"mode": "multiclass"} | arguments))

    @pytest.mark.parametrize("ignore_index", [2.0, "255", True])
    def test_ignore_index_is_an_integer(self, ignore_index):
        with pytest.raises(TypeError, match="ignore_index must be an integer"):
            build_loss("CE", mode="multiclass", ignore_index=ignore_index)

    def test_pixel_weights(self, make_batch):
        logits, labels, weights = make_batch("multiclass", void=False)
        loss = build_loss("CE", mode="multiclass")
        with pytest.raises(ValueError, match=r"\(3, 4\), got \(3, 3\)"):
            loss(logits, labels, weights[:, :3])
        weights[1, 2] = -0.5
        with pytest.raises(ValueError, match=r"pixel weight -0\.5 at position \(1, 2\)"):
            loss(logits, labels, weights)

    def test_parameters_out_of_their_domain(self):
        for name, parameter, value in [
            ("GCE", "q", 0), ("GCE", "q", 1.5), ("GCE", "q", float("nan")), ("FL", "gamma", -1),
            ("NFL", "gamma", float("inf")), ("MAE", "scale", 0), ("RCE", "min_prob", 0),
            ("NNCE", "min_prob", 1), ("ANL-FL", "min_prob", -1e-7), ("ANL-CE", "alpha", -5),
            ("NCE+MAE", "beta", -1), ("SCE", "min_prob", 2), ("TaylorCE", "t", 0),
            ("PHuberCE", "tau", 1), ("JS", "pi", 1), ("GJS", "pi", 0), ("AGCE", "a", -0.1),
            ("AGCE", "q", 0), ("AUL", "a", 1), ("AUL", "q", -1), ("AEL", "a", 0),
            ("ANorm", "a", 0.5), ("ANorm", "p", 0), ("AMSE", "a", 0), ("NGCE", "q", 2),
            ("NCE+AUL", "a", 1), ("JAL-CE", "a", 0.5), ("SR", "temperature", 0), ("SR", "p", 1.5),
            ("SR", "growth", 0.9), ("LogitClip", "tau", 0), ("EpsSoftmax", "m", -1),
            ("LabelSmoothing", "t", 1), ("SoftBootstrap", "t", -0.1), ("HardBootstrap", "t", 1),
            ("ELR", "momentum", 1), ("ELR", "beta", -1), ("ELR", "stride", 0), ("Dice", "eps", 0),
            ("NRDice", "gamma", 0.5), ("TLoss", "nu", 0), ("Hill", "lam", 0.5), ("SPLC", "tau", 1),
            ("SPLC", "start_epoch", -1), ("ASL", "clip", 1),
            ("NormalizedNegativeLoss", "min_prob", -1),
        ]:  # fmt: skip
            mode = "multilabel" if name in ("Hill", "SPLC", "ASL") else "multiclass"
            with pytest.raises(ValueError, match=f"{parameter} must .*not {value}"):
                build_loss(name, mode=mode, **{parameter: value})

    def test_parameters_of_another_type(self):
        with pytest.raises(TypeError, match=r"q must be a number, not '0\.7'"):
            build_loss("GCE", mode="multiclass", q="0.7")

    def test_a_cut_above_the_uniform_probability(self):
        loss = build_loss("NNCE", mode="multiclass", min_prob=0.4)
        with pytest.raises(ValueError, match=r"below 1/K = 0\.333"):
            loss(torch.zeros(1, 3, 1), torch.tensor([[0]]))


class TestModule:
    def test_repr_shows_what_is_not_default(self):
        loss = build_loss("NNFL", mode="binary", gamma=2, class_weights=[1, 0.5], reduction="sum")
        assert repr(loss) == (
            "NormalizedNegativeFocalLoss('binary', gamma=2.0, min_prob=1e-07, reduction='sum', "
            "class_weights=(1, 0.5))"
        )

    def test_class_weights_move_with_the_module_but_are_no_state(self):
        loss = build_loss("CE", mode="multiclass", class_weights=[1, 2, 3])
        assert list(loss.state_dict()) == []
        assert loss.to("meta").class_weights.device.type == "meta"

    def test_class_weights_are_copied(self):
        weights = torch.tensor([1.0, 2.0])
        loss = build_loss("CE", mode="multiclass", class_weights=weights)
        weights.zero_()
        assert loss.class_weights.tolist() == [1, 2]
