"""The table of losses and building from it by name."""

import inspect

import pytest

import segnoise.losses
from segnoise.losses import LOSSES, SegmentationLoss, build_loss

SINGLE = ["CE", "FL", "MAE", "RCE", "GCE", "NCE", "NFL", "NNCE", "NNFL", "ER"]
PAIRS = ["NCE+MAE", "NCE+RCE", "NFL+MAE", "NFL+RCE", "ANL-CE", "ANL-FL"]


def test_every_short_name_and_every_public_loss_is_in_the_table():
    public = [
        name
        for name in segnoise.losses.__all__
        if name.endswith(("Loss", "Regularizer")) and name != "SegmentationLoss"
    ]
    assert {*SINGLE, *PAIRS, *public} == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_every_entry_builds(name):
    loss = build_loss(name, mode="multiclass", ignore_index=255)
    assert loss.mode == "multiclass"
    assert loss.ignore_index == 255
    if name.endswith("Loss"):
        assert type(loss).__name__ == name


@pytest.mark.parametrize("name", [n for n in LOSSES if n.endswith("Loss")])
def test_every_loss_takes_the_common_arguments_by_keyword(name):
    parameters = inspect.signature(LOSSES[name]).parameters
    common = inspect.signature(SegmentationLoss.__init__).parameters
    for argument in ("ignore_index", "reduction", "class_weights"):
        assert parameters[argument].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[argument].default == common[argument].default


@pytest.mark.parametrize(
    ("name", "parameters", "error", "message"),
    [
        ("ANL", {}, ValueError, "unknown loss 'ANL': did you mean ANL-CE?"),
        ("nce+mae", {}, ValueError, "did you mean NCE.MAE?"),
        ("GCE", {"gama": 1}, TypeError, "GCE has no parameter 'gama'"),
        ("FL", {"gama": 1}, TypeError, "did you mean gamma?"),
        ("ANL-CE", {"min_prb": 1}, TypeError, "did you mean min_prob?"),
        ("ER", {"class_weights": [1]}, TypeError, "no parameter 'class_weights'"),
    ],
)
def test_misspelt_names(name, parameters, error, message):
    with pytest.raises(error, match=message):
        build_loss(name, mode="multiclass", **parameters)


def test_mode_is_needed():
    with pytest.raises(TypeError, match="CE needs a mode"):
        build_loss("CE")
