"""Bad input: exit code 2, one line that names the thing and the remedy, nothing half-written."""

import sys

import pytest
import torch
from PIL import Image

from segnoise import cli as command


def fails(capsys, *arguments):
    """Run a command in this process; return its one line of error."""
    code = command.main([str(a) for a in arguments])
    captured = capsys.readouterr()
    assert code == 2, captured.out[-500:]
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, captured.err
    assert captured.err.rstrip().endswith(errors[0]), "the error is the last line"
    return errors[0]


def masks(root):
    return sorted((root / "masks").rglob("*.png"))


def images(root):
    return sorted(p for p in (root / "images").rglob("*") if p.is_file())


@pytest.fixture
def untouched(tmp_path):
    """After the test, no run folder with results."""
    yield
    run = tmp_path / "run"
    left = [p.name for p in run.iterdir()] if run.exists() else []
    assert not {"last.pth", "best.pth", "scalars.json"} & set(left), left


@pytest.mark.usefixtures("untouched")
class TestTraining:
    """Before the first iteration."""

    def test_missing_folder(self, leaf, capsys, tmp_path):
        path = leaf(train_data={"root": str(tmp_path / "nowhere")})
        assert "nowhere" in fails(capsys, "train", path)

    def test_empty_split(self, leaf, folder_root, capsys):
        lists = list(folder_root.rglob("train.txt"))
        lists[0].write_text("")
        assert "train.txt" in fails(capsys, "train", leaf())

    def test_missing_mask(self, leaf, folder_root, capsys):
        victim = masks(folder_root)[0]
        victim.unlink()
        assert victim.stem in fails(capsys, "train", leaf())

    def test_mask_of_another_size(self, leaf, folder_root, capsys):
        for victim in masks(folder_root):
            picture = Image.open(victim)
            picture.resize((picture.width + 3, picture.height)).save(victim)
        code = command.main(["train", str(leaf())])
        assert code == 2
        error = capsys.readouterr().err
        assert "mask is" in error
        assert str(masks(folder_root)[0].parent) in error

    def test_label_out_of_range(self, leaf, folder_root, capsys):
        victim = masks(folder_root)[0]
        picture = Image.open(victim)
        picture.putpixel((2, 1), 37)
        picture.save(victim)
        error = fails(capsys, "train", leaf())
        assert "37" in error
        assert victim.name in error

    def test_truncated_image(self, leaf, folder_root, capsys):
        victim = images(folder_root)[0]
        victim.write_bytes(victim.read_bytes()[:-200])
        assert victim.name in fails(capsys, "train", leaf())

    def test_a_damaged_image_met_by_a_worker_in_training(self, leaf, folder_root, capsys):
        """Only masks are decoded first, so that a loader's process meets the bad image."""
        path = leaf(check_data="masks", num_workers=1)
        for victim in images(folder_root):
            content = victim.read_bytes()
            victim.write_bytes(content[:200] + bytes(200) + content[400:])
        error = fails(capsys, "train", path)
        assert "Traceback" not in error

    def test_unknown_key(self, leaf, capsys):
        path = leaf()
        path.write_text(path.read_text() + "batchsize = 4\n")
        assert "did you mean batch_size" in fails(capsys, "train", path)

    @pytest.mark.parametrize(
        ("changes", "flags", "words"),
        [
            ({}, ["--cfg-options", "train_cfg.max_iter=3"], "did you mean max_iters"),
            ({"model": {"encoder": "resnet3"}}, [], "did you mean resnet"),
            ({"losses": [{"type": "CE", "class_weights": [1, 2]}]}, [], "2 numbers for"),
            ({"losses": [{"type": "CE", "class_weights": "inverse_square"}]}, [], "inverse_sqrt"),
            ({"noise": {"type": "SymmetricFlip", "rate": 1.5}}, [], "1.5"),
            ({"noise": {"type": "AsymmetricFlip",
                        "transition_matrix": {"confusions": "voc", "rate": 0.4}}}, [], "21"),
        ],
    )  # fmt: skip
    def test_a_wrong_value(self, leaf, capsys, changes, flags, words):
        assert words in fails(capsys, "train", leaf(**changes), *flags)

    def test_amp_on_a_cpu(self, leaf, capsys):
        if torch.cuda.is_available():
            pytest.skip("this machine has a GPU, where AMP is at home")
        assert "needs a CUDA device" in fails(capsys, "train", leaf(), "--amp")

    def test_missing_config(self, capsys):
        assert "did you mean" in fails(capsys, "train", "configs/voc/unet_r34_voc12_20k.py")


def test_test_with_bad_checkpoints(leaf, capsys, tmp_path):
    path, bad = leaf(), tmp_path / "bad.pth"
    assert "no such checkpoint" in fails(capsys, "test", path, bad, "--split", "val")
    bad.write_bytes(b"PK\x03\x04 but not for long")
    assert "bad.pth: damaged" in fails(capsys, "test", path, bad, "--split", "val")


def test_check_dataset_lists_every_problem_with_its_remedy(leaf, folder_root, capsys, tmp_path):
    out = tmp_path / "sheets"
    assert command.main(["check_dataset", str(leaf()), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "training may start" in printed
    assert sorted(p.name for p in out.rglob("*.png")) == ["train.png", "val.png"]
    victims = [masks(folder_root)[0], images(folder_root)[1]]
    for victim in victims:
        victim.write_bytes(victim.read_bytes()[:-50])
    code = command.main(["check_dataset", str(leaf()), "--out", str(out)])
    captured = capsys.readouterr()
    assert code == 2
    for victim in victims:
        assert victim.name in captured.out
    assert "2 problem(s)" in captured.err


@pytest.mark.parametrize(
    "name", ["train", "test", "check_dataset", "compare_masks", "convert_sbd", "demo"]
)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main([name, "--help"])
    assert stop.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_the_command_names_the_nearest(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["segnoise"])
    assert command.main(["trian"]) == 2
    assert "did you mean train" in capsys.readouterr().err
    assert command.main([]) == 2
    assert command.main(["--version"]) == 0
