"""A real browser for tests of pages: only files are read, and every request is remembered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = (1000, 390, 320)
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium without a window."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page as a visitor sees it; ``asked`` and ``told`` are its requests and complaints."""

    def __init__(self, browser: Browser, *, width: int = 1000, script: bool = True) -> None:
        size: Any = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=size, java_script_enabled=script)
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.told: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.told.append(message.text))
        self.page.on("pageerror", lambda error: self.told.append(str(error)))

    def open(self, path: Path, fragment: str = "") -> Page:
        """Open a file."""
        self.page.goto(path.as_uri() + fragment)
        return self.page

    def close(self) -> None:
        """Close the page; refuse what it asked of the network or complained of."""
        self.context.close()
        outside = [url for url in self.asked if not url.startswith(("file:", "data:"))]
        assert not outside, outside
        assert not self.told, self.told


@contextmanager
def visit(browser: Browser, *, width: int = 1000, script: bool = True) -> Iterator[Visit]:
    """Visit pages at a width in CSS pixels, with or without JavaScript."""
    found = Visit(browser, width=width, script=script)
    yield found
    found.close()


def list_violations(page: Page) -> list[str]:
    """List what axe finds against WCAG 2.2 AA and best practice."""
    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]} ({len(v['nodes'])})" for v in found]


def sideways(page: Page) -> int:
    """Measure by how many CSS pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
