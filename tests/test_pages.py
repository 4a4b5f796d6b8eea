"""The pages in a real browser: no request, no sideways scroll, pictures drawn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser import WIDTHS, needs_browser, open_browser, sideways, visit
from evidence.brief import write_brief
from evidence.disclosure import clear
from evidence.neck import Neck
from evidence.portal import write_portal
from evidence.study import Study

PAGES = ("index.html", "plants/brief.en.html", "value_chains/brief.en.html")
LEVELS = "[...document.querySelectorAll('h1,h2,h3')].map(h => Number(h.tagName[1]))"
IMAGES = """Promise.all([...document.images].map(async image => {
  await image.decode();
  return [image.naturalWidth, image.alt.length, image.currentSrc.length];
}))"""
FONTS = """document.fonts.ready.then(fonts =>
  [...fonts].some(f => f.status === "loaded") && [...fonts].every(f => f.status !== "error"))"""

pytestmark = [pytest.mark.browser, needs_browser]


@pytest.fixture(scope="module")
def public(plants: Study, plants_neck: Neck, chains: Study, chains_neck: Neck) -> Path:
    write_brief(clear(plants_neck, plants), "en")
    write_brief(clear(chains_neck, chains), "en")
    return write_portal(plants.root / "reports/public", ["plants", "value_chains"]).parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as started:
        yield started


@pytest.fixture(scope="module")
def measured(public: Path, browser: Browser) -> dict[tuple[str, int], dict[str, Any]]:
    seen = {}
    for page, width in itertools.product(PAGES, WIDTHS):
        with visit(browser, width=width) as visited:
            seen[page, width] = _measure(visited.open(public / page))
    return seen


def _measure(page: Page) -> dict[str, Any]:
    return {
        "sideways": sideways(page),
        "images": page.evaluate(IMAGES),
        "font": page.evaluate(FONTS),
        "levels": page.evaluate(LEVELS),
    }


def test_no_page_scrolls_sideways_or_asks_the_network(measured: dict[Any, Any]) -> None:
    assert {
        place: seen["sideways"] for place, seen in measured.items() if seen["sideways"] > 0
    } == {}


def test_a_request_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img src="http://example.invalid/x.png">', "utf-8")
    with pytest.raises(AssertionError, match=r"example\.invalid"), visit(browser) as visited:
        visited.open(page)


def test_figures_are_drawn_and_phones_get_their_own(measured: dict[Any, Any]) -> None:
    for page in PAGES[1:]:
        wide, narrow = (measured[page, width]["images"] for width in (1000, 390))
        for (drawn, alt, _), (drawn_narrow, _, _) in zip(wide, narrow, strict=True):
            assert drawn > drawn_narrow > 0
            assert alt > 80
        assert wide[0][2] != narrow[0][2]


def test_the_font_inside_the_page_is_used(measured: dict[Any, Any]) -> None:
    for page in PAGES[1:]:
        assert measured[page, 390]["font"] is True


def test_there_is_a_single_first_heading_and_no_level_is_skipped(measured: dict[Any, Any]) -> None:
    for page in PAGES:
        levels = measured[page, 1000]["levels"]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
