"""A headless Chromium that notes what a page does."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DESKTOP, PHONE = (1400, 900), (390, 844)
_FLAGS = (
    "--no-sandbox",  # containers run tests as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Browsed:
    """A page that is open, with everything it said, asked for and got wrong."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def outside(self) -> list[str]:
        """Requests that leave the machine."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]

    def text(self, selector: str) -> str:
        return str(self.page.text_content(selector))

    def frame(self) -> int:
        """Frame at which the page stands."""
        return int(self.page.get_attribute("[role=slider]", "aria-valuenow"))

    def drawn(self) -> int:
        """Px of the overlay that are not transparent."""
        return int(
            self.page.evaluate(
                """() => {
                    const canvas = document.getElementById("overlay");
                    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
                    let count = 0;
                    for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
                    return count;
                }"""
            )
        )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; tests that need it are skipped where it is absent."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("needs Chromium (apt install chromium)")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("needs playwright (pip install playwright), which drives Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield browser
        browser.close()


@contextmanager
def browsing(
    browser: Any, path: Path, size: tuple[int, int] = DESKTOP, *, ready: bool = True
) -> Iterator[Browsed]:
    """Open a file, and wait until its scripts have begun."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, accept_downloads=True)
    context.set_default_timeout(60_000)
    page = context.new_page()
    browsed = Browsed(page)
    page.on("console", lambda told: told.type in ("error", "warning") and browsed.errors.append(told.text))
    page.on("pageerror", lambda error: browsed.errors.append(str(error)))
    page.on("request", lambda request: browsed.requests.append(request.url))
    try:
        page.goto(path.resolve().as_uri())
        if ready:
            page.wait_for_selector("html[data-ready]")
        yield browsed
    finally:
        context.close()
