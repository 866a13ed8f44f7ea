"""The gallery of noise models: made by the tool, looked at in a browser without a network."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnoise import cli

CONFIG = Path(__file__).parents[2] / "configs" / "phantoms" / "unet_r18_ce_clean_phantoms_200.py"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """A folder with a gallery of two noise models."""
    folder = tmp_path_factory.mktemp("gallery")
    arguments = [
        "browse_noise", str(CONFIG), "--noises", "SymmetricFlip(rate=0.2)",
        "BoundaryErosion(width=1)", "BoundaryErosion(width=1, classes=[4])", "--images", "2",
        "--sample", "6", "--target", "0.05", "--out", str(folder),
        "--cfg-options", f"data_root={folder / 'data'}", "train_data.num_images=8",
    ]  # fmt: skip
    assert cli.main(arguments) == 0
    return folder


def test_the_page_is_one_file_without_addresses(gallery):
    text = (gallery / "gallery.html").read_text()
    bare = re.sub(r"data:image/webp;base64,[\w+/=]+", "", text)
    assert "http" not in bare.replace("http-equiv", "")
    assert "<script" not in bare
    assert len(re.findall("<tr class=", bare)) == 2


def test_the_model_that_cannot_reach_the_dose_is_named(gallery):
    assert (
        "BoundaryErosion(width=1, classes=[4])</b> is left out: "
        in (gallery / "gallery.html").read_text()
    )


def test_the_picture_shows_all_cells(gallery):
    picture = np.array(Image.open(gallery / "gallery.png"))
    assert picture.shape[1] > 4 * 200
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


@pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium")
def test_the_toggle_in_a_browser_without_network(gallery):
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
        tab = context.new_page()
        asked, complaints = [], []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.goto((gallery / "gallery.html").as_uri())

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
        loaded = tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert loaded
        assert tab.get_by_text("% changed, mIoU").count() == 4
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
