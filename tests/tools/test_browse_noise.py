"""The gallery of noise models: made by the tool, looked at in a browser without a network."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from offline_browser import browser
from PIL import Image

from segnoise import cli
from segnoise.datasets import Phantoms
from segnoise.errors import ConfigError
from segnoise.inspection.noise_gallery import default_noises, noise_gallery

CONFIG = Path(__file__).parents[2] / "configs" / "phantoms" / "unet_r18_phantoms_200.py"


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """A folder with a gallery of two noise models."""
    folder = tmp_path_factory.mktemp("gallery") / "out"
    arguments = [
        "browse_noise", str(CONFIG), "--noise", "SymmetricFlip(rate=0.2)", "--noise",
        "BoundaryErosion(width=1)", "--noise", "BoundaryErosion(width=1, classes=[4])",
        "--images", "2",
        "--sample", "6", "--target", "0.05", "--out", str(folder),
        "--cfg-options", f"data_root={folder.parent / 'data'}", "train_data.num_images=8",
    ]  # fmt: skip
    assert cli.main(arguments) == 0
    return folder


def test_the_page_is_one_file_without_addresses(gallery):
    text = (gallery / "gallery.html").read_text()
    bare = re.sub(r"data:image/webp;base64,[\w+/=]+", "", text)
    assert "http" not in bare.replace("http-equiv", "")
    assert "<script" not in bare
    assert len(re.findall("<tr class=", bare)) == 2


def test_a_gallery_is_not_replaced_unasked(gallery, capsys):
    arguments = ["browse_noise", str(CONFIG), "--out", str(gallery)]
    assert cli.main(arguments) == 2
    assert (
        "holds a noise gallery already (gallery.png, gallery.html): take another folder, or "
        "replace it by --overwrite" in capsys.readouterr().err
    )


def test_the_model_that_cannot_reach_the_dose_is_named(gallery):
    assert (
        "BoundaryErosion(width=1, classes=[4])</b> is left out: "
        in (gallery / "gallery.html").read_text()
    )


def test_the_picture_shows_all_cells(gallery):
    picture = np.array(Image.open(gallery / "gallery.png"))
    assert picture.shape[1] > 4 * 200
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_the_toggle_in_a_browser_without_network(gallery):
    with browser() as opened:
        tab = opened(gallery / "gallery.html")

        def visible():
            cells = tab.locator("tbody td:not(:first-child) figure > :not(figcaption):visible")
            return [cells.nth(i).get_attribute("class").split()[-1] for i in range(cells.count())]

        assert visible() == ["difference"] * 4
        seen = {}
        for view in ("clean", "noisy", "difference"):
            tab.get_by_text(view, exact=True).click()
            assert visible() == [view] * 4
            seen[view] = tab.locator("tbody td").nth(1).screenshot()
        assert len(set(seen.values())) == 3, "the three views are three pictures"
        tab.keyboard.press("ArrowLeft")
        assert visible() == ["noisy"] * 4, "arrow keys move between the views"
        assert tab.get_by_text("% changed, mIoU").count() == 4


def test_the_buttons_stay_in_sight_wherever_one_scrolls(tmp_path):
    noises = {f"flip {i}": {"type": "SymmetricFlip", "rate": 0.1} for i in range(6)}
    made = noise_gallery(many(tmp_path), noises, sample=2, images=6)
    (tmp_path / "gallery.html").write_text(made.html())
    with browser() as opened:
        for width in (400, 1200):
            tab = opened(tmp_path / "gallery.html", width, 500)
            assert tab.locator("header").bounding_box()["height"] < 100
            place = "[scrollX, scrollY]"
            for x, y in ((0, 0), (9999, 0), (0, 9999), (9999, 9999)):
                tab.evaluate(f"scrollTo({x}, {y})")
                before = tab.evaluate(place)
                assert (before[0] > 400) == (x > 0)
                assert (before[1] > 400) == (y > 0)
                for view in ("clean", "noisy", "difference"):
                    box = tab.get_by_text(view, exact=True).bounding_box()
                    assert box["x"] >= 0
                    assert box["x"] + box["width"] <= width
                    assert 0 <= box["y"] < 100
                    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
                    assert tab.locator(f"#view-{view}").is_checked()
                tab.keyboard.press("ArrowLeft")
                assert tab.evaluate(place) == before, "choosing a view does not scroll"
            first = tab.locator("tbody td").first.bounding_box()
            assert (first["x"] >= 0) == (width > 700), "the first column stays where there is room"


def many(folder, num_images=6):
    """Return phantoms with 200 classes, of which the images hold the first few."""
    data = Phantoms(folder / "data", num_images=num_images, size=64)
    names, colors = data.metainfo["classes"], data.metainfo["palette"]
    more = 200 - len(names)
    data.metainfo["classes"] = (*names, *(f"further class {i}" for i in range(more)))
    data.metainfo["palette"] = (*colors, *[(9, 9, 9)] * more)
    return data


def test_the_legend_holds_what_is_to_be_seen(tmp_path):
    noise = {"type": "BoundaryErosion", "width": 1}
    made = noise_gallery(many(tmp_path), {"erosion": noise}, target=0.05, sample=6)
    text = made.html()
    assert "further class" not in text
    assert all(f"</i>{name}</span>" in text for name in made.metainfo["classes"][:2])
    assert made.png().shape[0] < 4 * 300 + 200


def test_a_missed_dose_is_marked(tmp_path):
    data = Phantoms(tmp_path, num_images=1, size=64)
    made = noise_gallery(data, {"flips": {"type": "SymmetricFlip", "rate": 0.1}}, sample=1)
    assert "missed" not in made.table()
    assert "missed:" not in made.html()
    assert made.table().endswith("|            - |")
    assert "nan" not in made.html()
    assert "% on 1 mask<" in made.html()
    found = dataclasses.replace(made.columns["flips"], reached=0.2)
    made = dataclasses.replace(made, columns={"flips": found})
    assert "| 20.0 (missed) |" in made.table()
    assert "missed: reached 20.0 %" in made.html()
    assert made.png().any()


def test_models_that_fail_do_not_end_the_gallery(tmp_path):
    data = Phantoms(tmp_path, num_images=4, size=64)
    noises = {
        "good": {"type": "SymmetricFlip", "rate": 0.1},
        "none such": {"type": "SymmetricFlap"},
        "no fit": {"type": "BoundaryErosion", "width": 1, "classes": [70]},
        "no dose": {"type": "Compose", "noises": []},
    }
    made = noise_gallery(data, noises, sample=4)
    assert list(made.columns) == ["good"]
    assert list(made.failures) == ["none such", "no fit", "no dose"]
    del noises["good"]
    with pytest.raises(ConfigError, match=r"shown on Phantoms.*none such: .*Flap.*and 2 more"):
        noise_gallery(data, noises, sample=4)


def test_the_default_gallery_of_a_single_class(tmp_path):
    class One(Phantoms):
        def load_mask(self, index):
            return np.zeros_like(super().load_mask(index))

    data = One(tmp_path, num_images=2, size=32)
    data.metainfo.update(classes=("all",), palette=((1, 2, 3),))
    with pytest.raises(ValueError, match=r"target must be|measure must be"):
        noise_gallery(data, {}, measure="damage")
    made = noise_gallery(data, default_noises(data), sample=2, images=1, target=0.5)
    assert "void dropout" in made.columns
    assert "symmetric flips" in made.failures


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--noise", "SymetricFlip"], "did you mean SymmetricFlip"),
        (["--noise", "none"], "--noise none: clean labels are in every gallery"),
        (["--out", __file__], "is a file, not a folder"),
        (["--out", f"{__file__}/below"], "is a file, not a folder"),
    ],
)
def test_bad_input(tmp_path, capsys, arguments, message):
    out = tmp_path / "out"
    options = ["--cfg-options", f"data_root={tmp_path}", "train_data.num_images=2"]
    assert cli.main(["browse_noise", str(CONFIG), "--out", str(out), *arguments, *options]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
    assert not out.exists()


def test_two_spellings_of_one_noise_are_shown_once(tmp_path, capsys):
    models = ("SymmetricFlip(rate=0.1)", "SymmetricFlip( rate=1e-1 )", "SymmetricFlip(rate=0.3)")
    noises = [word for model in models for word in ("--noise", model)]
    options = ["--sample", "2", "--images", "1", "--out", str(tmp_path / "out"), "--target", "0.02"]
    data = ["--cfg-options", f"data_root={tmp_path}", "train_data.num_images=2"]
    assert cli.main(["browse_noise", str(CONFIG), *noises, *options, *data]) == 0
    printed = capsys.readouterr().out
    shown = [line.split(" | ")[0] for line in printed.splitlines() if line.startswith("| Sym")]
    assert shown == ["| SymmetricFlip(rate=0.1)", "| SymmetricFlip(rate=0.3)"]
