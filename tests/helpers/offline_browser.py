"""A page of ours in a browser without a network: it asks for nothing and complains of nothing."""

import contextlib
import shutil

import pytest

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
_FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]


@contextlib.contextmanager
def browser():
    """Yield a function that opens a file, with options of a context, and returns its tab."""
    if _CHROMIUM is None:
        pytest.skip("needs the program chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    asked, complaints = [], []
    with sync_api.sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)

        def opened(file, width=1200, height=900, **options):
            viewport = {"width": width, "height": height}
            tab = program.new_context(offline=True, viewport=viewport, **options).new_page()
            tab.on("request", lambda request: asked.append(request.url))
            tab.on("console", lambda message: complaints.append(message.text))
            tab.goto(file.as_uri())
            loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
            assert tab.evaluate(loaded)
            return tab

        yield opened
        program.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
