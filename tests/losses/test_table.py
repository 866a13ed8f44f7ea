"""The table of losses and building from it by name."""

import naive_losses
import pytest

import segnoise.losses
from segnoise.losses import LOSSES, build_loss
from segnoise.losses.missing_labels import ScoreLoss
from segnoise.losses.names import parameters_of

SHORT = {*naive_losses.CASES, "ER", "L1"} - {"NormalizedLoss", "NormalizedNegativeLoss"}
MISSING = [b for b in LOSSES.values() if isinstance(b, type) and issubclass(b, ScoreLoss)]
MATRIX = {"transition_matrix": [[0.9, 0.1], [0.0, 1.0]]}


def test_every_short_name_and_every_public_loss_is_in_the_table():
    public = [
        name
        for name in segnoise.losses.__all__
        if name.endswith(("Loss", "Regularizer", "Penalty"))
        # The base of all, and one around a loss that has been built.
        and name not in ("SegmentationLoss", "UpsampledLoss")
    ]
    assert {*SHORT, *public} == set(LOSSES)


def test_every_entry_builds_and_takes_the_common_arguments_by_keyword():
    assert isinstance(build_loss("L1"), build_loss("L1Penalty").__class__)
    for name, entry in LOSSES.items():
        if name in ("L1", "L1Penalty"):
            continue
        mode = "binary" if name in ("Hill", "SPLC", "ASL") or entry in MISSING else "multiclass"
        own = MATRIX if "Correction" in name and mode == "multiclass" else {}
        common = {"ignore_index": 7, "reduction": "sum", "class_weights": [1.0, 2.0]}
        if name in ("ER", "EntropyRegularizer"):
            common = {"ignore_index": 7}
        loss = build_loss(name, mode=mode, **common, **own)
        assert (loss.mode, loss.ignore_index) == (mode, 7), name
        if "reduction" in common:
            assert loss.reduction == "sum", name
            assert loss.class_weights.tolist() == [1, 2], name
        if name.endswith("Loss"):
            assert type(loss).__name__ == name
            taken = parameters_of(entry)
            assert taken is None or set(taken) >= {"mode", *common}, name


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
