"""The table of losses and building from it by name."""

import naive_losses
import pytest

import segnoise.losses
from segnoise.losses import LOSSES, build_loss
from segnoise.losses.missing_labels import ScoreLoss
from segnoise.losses.signatures import parameters

SHORT = {*naive_losses.CASES, "ER"} - {"NormalizedLoss", "NormalizedNegativeLoss"}
MISSING = [b for b in LOSSES.values() if isinstance(b, type) and issubclass(b, ScoreLoss)]
MATRIX = {"transition_matrix": [[0.9, 0.1], [0.0, 1.0]]}


def test_every_short_name_and_every_public_loss_is_in_the_table():
    public = [
        name
        for name in segnoise.losses.__all__
        if name.endswith(("Loss", "Regularizer"))
        # The base of all, and one around a loss that has been built.
        and name not in ("SegmentationLoss", "UpsampledLoss")
    ]
    assert {*SHORT, *public} == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_every_entry_builds(name):
    mode = "binary" if name in ("Hill", "SPLC", "ASL") or LOSSES[name] in MISSING else "multiclass"
    own = MATRIX if "Correction" in name and mode == "multiclass" else {}
    loss = build_loss(name, mode=mode, ignore_index=255, **own)
    assert loss.mode == mode
    assert loss.ignore_index == 255
    if name.endswith("Loss"):
        assert type(loss).__name__ == name


@pytest.mark.parametrize("name", [n for n in LOSSES if n.endswith("Loss")])
def test_every_loss_takes_the_common_arguments_by_keyword(name):
    mode = "binary" if LOSSES[name] in MISSING else "multiclass"
    own = MATRIX if "Correction" in name and mode == "multiclass" else {}
    common = {"ignore_index": 7, "reduction": "sum", "class_weights": [1.0, 2.0]}
    loss = build_loss(name, mode=mode, **common, **own)
    assert (loss.ignore_index, loss.reduction) == (7, "sum")
    assert loss.class_weights.tolist() == [1, 2]
    taken = parameters(LOSSES[name])
    assert taken is None or set(taken) >= {"mode", *common, *loss.own_parameters}


@pytest.mark.parametrize(
    ("name", "parameters", "error", "message"),
    [
        ("ANL", {}, ValueError, "no loss called 'ANL'; did you mean ANL-CE?"),
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


def test_what_has_no_default_is_asked_for():
    with pytest.raises(TypeError, match="ForwardCorrection needs transition_matrix"):
        build_loss("ForwardCorrection", mode="multiclass")
