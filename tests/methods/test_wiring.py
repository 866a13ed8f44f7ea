"""The steps of methods inside a training step, and what evaluation makes of them."""

import pytest
import torch
from torch import nn

from segnoise.engine.model import build_methods, resolve_method_weights
from segnoise.engine.schema import complete
from segnoise.errors import ConfigError
from segnoise.losses import build_loss
from segnoise.methods import (
    ADELE,
    Abstention,
    ClassBalanced,
    CoTeaching,
    MeanTeacher,
    Method,
    MissingObjects,
    ObjectBalanced,
    ObjectTeacher,
    SmallLoss,
    WarmUp,
)
from segnoise.models import Segmentor


class Shift(Method):
    """Labels go up by one, pixels of label 2 count twice, and the loss is logged times ten."""

    def correct_labels(self, step):
        assert not torch.is_grad_enabled()
        return (step.labels + 1) % 3

    def weigh(self, step):
        assert not torch.is_grad_enabled()
        return 1.0 + (step.given == 2)

    def combine(self, losses, step):
        return {**losses, "tenfold": 10 * losses["loss_ce"].detach()}


def model(*methods, losses=({"type": "CE"},), ignore_index=255):
    torch.manual_seed(0)
    network = nn.Conv2d(3, 3, 3, padding=1)
    built = Segmentor(3, network=network, losses=losses, ignore_index=ignore_index)
    built.set_methods({f"m{i}": m for i, m in enumerate(methods)}, max_iters=10, epoch_iters=2)
    return built


def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 8, 8, generator=generator), torch.randint(
        3, (2, 8, 8), generator=generator
    )


def test_each_step_has_its_effect():
    image, mask = batch()
    trained = model(Shift())
    found = trained(image, mask, mode="loss")
    loss = build_loss("CE", mode="multiclass", ignore_index=255)
    expected = loss(trained(image), (mask + 1) % 3, pixel_weights=1.0 + (mask == 2))
    torch.testing.assert_close(found["loss_ce"], expected)
    torch.testing.assert_close(found["tenfold"], 10 * expected)
    assert found["corrected/m0"] == 1
    assert mask.equal(batch()[1]), "the labels of the data set stay"


def test_methods_work_one_after_the_other():
    image, mask = batch()
    trained = model(Shift(), Shift())
    found = trained(image, mask, mode="loss")["loss_ce"]
    loss = build_loss("CE", mode="multiclass", ignore_index=255)
    weights = (1.0 + (mask == 2)) ** 2
    torch.testing.assert_close(found, loss(trained(image), (mask + 2) % 3, pixel_weights=weights))


def test_what_is_logged_is_not_trained_on():
    total, logged = model(Shift()).parse_losses(model(Shift())(*batch(), mode="loss"))
    assert total == logged["loss_ce"]


def test_regularisers_see_no_weights():
    losses = [{"type": "CE"}, {"type": "ER"}, {"type": "L1"}]
    plain = model(losses=losses)(*batch(), mode="loss")
    weighted = model(Shift(), losses=losses)(*batch(), mode="loss")
    assert weighted["loss_ce"] != plain["loss_ce"]
    assert weighted["loss_l1"] == plain["loss_l1"]
    assert weighted["loss_er"] == plain["loss_er"]


def test_a_network_needs_the_outputs_that_methods_ask_for():
    built = Segmentor(3, network=nn.Conv2d(3, 3, 1), losses=[{"type": "CE"}], extra_outputs=1)
    with pytest.raises(ConfigError, match="has 3 outputs, but 3 classes and the methods' 1 need 4"):
        built(*batch(), mode="loss")
    built = Segmentor(3, network=nn.Conv2d(3, 4, 1), losses=[{"type": "CE"}], extra_outputs=1)
    assert built(batch()[0]).shape == (2, 3, 8, 8)
    assert built.probabilities(batch()[0]).shape == (2, 3, 8, 8)
    built = Segmentor(3, encoder="resnet18", encoder_weights=None, extra_outputs=2)
    assert built.network(torch.zeros(2, 3, 32, 32)).shape[1] == 5


def test_one_method_alone_has_outputs_of_the_network():
    built = Segmentor(3, network=nn.Conv2d(3, 5, 1), losses=[{"type": "GCE"}], extra_outputs=2)
    methods = {name: Abstention(0.2, warm_up=1) for name in ("one", "two")}
    with pytest.raises(ConfigError, match=r"one and two each want outputs .* keep one of them"):
        built.set_methods(methods, max_iters=10, epoch_iters=2)


@pytest.mark.parametrize("name", ["a.b", "keys", 3])
def test_names_that_losses_cannot_have(name):
    with pytest.raises(ConfigError, match=rf"losses\.0.* '?{name}'?"):
        model(losses=[{"type": "CE", "name": name}])


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        (ADELE, {"scales": (0.5, 2.0)}, r"scales must contain 1, got \[0\.5, 2\.0\]"),
        (ADELE, {"tau": 1}, "tau must be"),
        (ADELE, {"interval": 0}, "interval"),
        (ClassBalanced, {"scheme": "inverze"}, "unknown scheme 'inverze'"),
        (ClassBalanced, {"scope": "set"}, "scope must be 'image' or 'batch', not 'set'"),
        (MeanTeacher, {"start": 1, "consistency": 0}, "nothing to do"),
        (
            MissingObjects,
            {"becomes": "nothing"},
            "becomes must be 'class' or 'void', not 'nothing'",
        ),
        (MissingObjects, {"tau": 1.0}, "tau"),
        (ObjectBalanced, {"power": 2}, "power must be .* not 2"),
        (ObjectTeacher, {"missing": "yes"}, "missing"),
        (ObjectTeacher, {"start": 1}, "start=1"),
        (SmallLoss, {"noise_rate": 1.0}, "noise_rate must be"),
        (SmallLoss, {"noise_rate": 0.1, "group": "pixel"}, "'class' or 'batch', not 'pixel'"),
        (SmallLoss, {"noise_rate": 0.1, "exponent": 0}, "exponent"),
        (WarmUp, {"start": 0.5, "end": 0.4}, "end must be at least start=0.5, got 0.4"),
        (WarmUp, {"shape": "step"}, "'step'"),
        (WarmUp, {"start": -1}, "not -1"),
    ],
)
def test_arguments_out_of_their_range(method, arguments, words):
    with pytest.raises(ValueError, match=words):
        method(**arguments)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (ADELE(background=5, interval=1), "background=5 is none of 3 classes"),
        (MissingObjects(background=3), "background=3 is none of 3 classes"),
        (MissingObjects(background=2), "background=2 is the label of void"),
        (ObjectTeacher(background=3), "background=3 is none of 3 classes"),
        (ObjectTeacher(background=2), "background=2 is the label of void"),
        (WarmUp({"type": "CEE"}), "loss: no loss called 'CEE'"),
        (WarmUp({"type": "ER"}), "ER is no loss of labels"),
        (WarmUp({"type": "L1"}), "L1 is no loss of labels"),
        (WarmUp({"type": "CE", "class_weights": [1, 2]}), "2 numbers for 3 classes"),
        (WarmUp({"type": "GJS"}), "asks for a second view of the image"),
        (WarmUp({"type": "ELR"}), "asks for sample_id, cells"),
        (WarmUp({"type": "LogitClip", "base": "ELR"}), "LogitClipLoss asks for sample_id, cells"),
        (SmallLoss(0.2, loss={"type": "ELR"}), "asks for sample_id, cells"),
        (SmallLoss(0.2, loss={"type": "Dice"}), "DiceLoss has no value for every pixel"),
        (SmallLoss(0.2, loss={"type": "TLoss"}), "TLoss has parameters to train"),
        (CoTeaching(0.2, loss={"type": "NRDice"}), "NoiseRobustDiceLoss has no value"),
    ],
)
def test_what_does_not_fit_the_training_is_refused_before_it(method, words):
    with pytest.raises(ValueError, match=words):
        model(method, ignore_index=2)


def test_an_object_teacher_of_two_classes_wants_something_to_do():
    two = Segmentor(2, network=nn.Identity(), losses=[{"type": "CE"}], mode="binary")
    with pytest.raises(ValueError, match="missing=True"):
        two.set_methods({"m": ObjectTeacher(background=0, missing=False)}, 10, 5)


def test_a_method_with_a_losss_name():
    with pytest.raises(ConfigError, match="a method and a loss are called 'm0'"):
        model(Shift(), losses=[{"type": "CE", "name": "m0"}])


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ([{"type": "WarmUpp"}], r"methods\.0\.type: no method called 'WarmUpp'; did you mean Warm"),
        ([{"type": "WarmUp", "ent": 1}], r"methods\.0\.ent; did you mean end"),
        ([{"end": 1}], r"methods\.0 must be a dict with a 'type'"),
        (["WarmUp"], r"methods\.0 must be a dict"),
        (3, "methods must be of type list or dict, not 3"),
    ],
)
def test_keys_of_a_config_are_checked(methods, words):
    with pytest.raises(ConfigError, match=words):
        complete({"methods": methods})


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ([{"type": "WarmUp", "start": 2}], r"methods\.0: start must be .* not 2"),
        ([{"type": "WarmUp"}] * 2, r"methods\.1: a second method called 'warm_up'; set its 'name'"),
        ([{"type": "WarmUp", "loss": "CE"}], r"methods\.0: loss must be a dict"),
        ([{"type": "WarmUp", "name": "a.b"}], r"methods\.0\.name must be an ident.* got 'a\.b'"),
        ([{"type": "WarmUp", "name": 3}], r"methods\.0\.name must be an identifier.* got 3"),
        ([{"type": "WarmUp", "name": ""}], r"methods\.0\.name must be an identifier.* got ''"),
        ([{"type": "WarmUp", "name": "keys"}], r"methods\.0: no method .* called 'keys'; set its"),
        ([{"type": "torch.nn.ReLU"}], r"methods\.0\.type: 'torch\.nn\.ReLU' is no method; derive"),
        ([{"type": "torch.relu"}], r"methods\.0\.type: 'torch\.relu' is no method"),
    ],
)
def test_wrong_arguments_are_named(methods, words):
    with pytest.raises(ConfigError, match=words):
        build_methods(methods)


def test_names_and_class_weights():
    methods = [
        {"type": "WarmUp", "loss": {"type": "CE", "class_weights": "inverse"}},
        {"type": "WarmUp", "name": "again"},
    ]
    assert list(build_methods(methods)) == ["warm_up", "again"]
    resolved = resolve_method_weights(methods, [3, 1])
    assert resolved[0]["loss"]["class_weights"] == [0.6667, 2.0]
    with pytest.raises(ConfigError, match=r"methods\.0\.loss: .*'inverze'"):
        resolve_method_weights([{"loss": {"type": "CE", "class_weights": "inverze"}}], [1, 1])
