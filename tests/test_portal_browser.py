"""The portal in a real browser: search, filters, memory in the address, no barrier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser import WIDTHS, list_violations, needs_browser, open_browser, sideways, visit
from evidence.portal import Site, write_portal
from evidence.portal.feeds import localise
from evidence.portal.wording import list_languages
from portal_cards import write_many

pytestmark = [pytest.mark.browser, needs_browser]
STUDIES = 40
"""In five languages: two hundred briefs."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as started:
        yield started


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("public")
    sectors = {"garment": {"en": "garments"}}
    write_portal(folder, write_many(folder, STUDIES), Site(sectors=sectors))
    return folder


def _expect_shown(page: Page, number: int) -> None:
    expect(page.locator("#count")).to_have_text(f"Studies shown: {number} of {STUDIES}")
    expect(page.locator(".study:visible")).to_have_count(number)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", list_languages())
def test_two_hundred_briefs_are_without_barrier_at_any_width(
    browser: Browser, public: Path, language: str, width: int
) -> None:
    with visit(browser, width=width) as visited:
        page = visited.open(public / localise("index.html", language))
        assert page.locator(".study").count() == STUDIES
        assert sideways(page) <= 0
        assert list_violations(page) == []


@pytest.mark.parametrize("width", [390, 320])
def test_what_is_folded_away_is_without_barrier_when_it_is_opened(
    browser: Browser, public: Path, width: int
) -> None:
    with visit(browser, width=width) as visited:
        page = visited.open(public / "index.html", "#country=BGD&grade=high")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.locator(".study:visible").count() == 2
        assert sideways(page) <= 0
        assert list_violations(page) == []


def test_axe_would_see_a_barrier(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', "utf-8")
    with visit(browser) as visited:
        assert any("image-alt" in found for found in list_violations(visited.open(page)))


def test_a_request_and_a_complaint_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    policy = "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\">"
    page.write_text(f'{policy}<script>1</script><img src="http://127.0.0.1:9/x.png">', "utf-8")
    with pytest.raises(AssertionError, match=r"127\.0\.0\.1"), visit(browser) as visited:
        visited.open(page)
    assert any("Content Security Policy" in told for told in visited.told)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("ប្រាក់ឈ្នួល", STUDIES),
        ("ប្រាក់\u200bឈ្នួល (006)", 1),
        ("未払い残業", STUDIES),
        ("未払い残業　（０１２）", 1),
        ("団体交渉 違反 (003)", 1),
        ("làm thêm không lương", STUDIES),
        ("la\u0300m the\u0302m (039)", 1),
        ("অবৈতনিক", STUDIES),
        ("BARGAINING  committee", STUDIES),
        ("bargaining (007) committee", 1),
        ("bargaining nowhere", 0),
    ],
)
def test_every_language_is_searched_from_any_page(
    browser: Browser, public: Path, typed: str, number: int
) -> None:
    with visit(browser) as visited:
        page = visited.open(public / "index.html")
        page.get_by_role("searchbox").fill(typed)
        _expect_shown(page, number)
        assert page.locator("#none").is_visible() == (number == 0)


def test_what_was_found_in_another_language_is_shown_in_it(browser: Browser, public: Path) -> None:
    with visit(browser) as visited:
        page = visited.open(public / "index.html")
        title = page.locator(".study h3").first
        assert title.get_attribute("lang") == "en"
        page.get_by_role("searchbox").fill("未払い残業")
        expect(title).to_have_attribute("lang", "ja")
        expect(title.locator("a")).to_have_attribute("href", "study_006/brief.ja.html")
        assert page.locator(".study .links a").nth(1).get_attribute("href") == (
            "study_006/brief.ja.pdf"
        )
        page.get_by_role("searchbox").fill("")
        expect(title).to_have_attribute("lang", "en")


def test_filters_narrow_each_other_and_the_address_remembers_them(
    browser: Browser, public: Path
) -> None:
    with visit(browser) as visited:
        page = visited.open(public / "index.html")
        page.get_by_label("Country").select_option(label="Viet Nam")
        _expect_shown(page, 10)
        page.get_by_label("Certainty of the evidence").select_option(label="very low")
        _expect_shown(page, 2)
        assert page.url.endswith("#country=VNM&grade=very+low")
        page.get_by_label("Language", exact=True).select_option("km")
        expect(page.locator(".study:visible h3").first).to_have_attribute("lang", "km")
        page.get_by_label("Sustainable Development Goal").select_option("17")
        _expect_shown(page, 0)
        page.go_back()
        _expect_shown(page, 2)
        page.go_back()
        page.go_back()
        _expect_shown(page, 10)
        page.reload()
        _expect_shown(page, 10)
        assert page.get_by_label("Country").input_value() == "VNM"
        page.get_by_role("button", name="Show all again").click()
        _expect_shown(page, STUDIES)
        assert "#" not in page.url


def test_the_state_is_restored_after_a_brief_was_read(browser: Browser, public: Path) -> None:
    with visit(browser, width=390) as visited:
        page = visited.open(public / "index.html", "#q=%E6%9C%AA%E6%89%95%E3%81%84&sector=garment")
        _expect_shown(page, 14)
        assert page.get_by_label("Sector").is_visible()
        page.locator(".study:visible h3 a").first.click()
        page.wait_for_url("**/brief.ja.html")
        page.go_back()
        _expect_shown(page, 14)
        assert page.get_by_role("searchbox").input_value() == "未払い"


def test_a_filter_that_nothing_has_is_forgotten(browser: Browser, public: Path) -> None:
    with visit(browser) as visited:
        _expect_shown(visited.open(public / "index.html", "#country=XXX&nothing=1"), STUDIES)


@pytest.mark.skipif(len(list_languages()) < 2, reason="one catalogue only")
def test_the_other_languages_pages_take_the_filters_along(browser: Browser, public: Path) -> None:
    with visit(browser) as visited:
        page = visited.open(public / "index.html", "#country=KHM")
        page.locator("nav a[hreflang=ja]").click()
        page.wait_for_url("**/index.ja.html#country=KHM")
        expect(page.locator(".study:visible")).to_have_count(10)


def test_without_javascript_the_whole_list_is_there(browser: Browser, public: Path) -> None:
    with visit(browser, width=390, script=False) as visited:
        page = visited.open(public / "index.html")
        assert not page.locator("form").is_visible()
        assert page.locator(".study:visible").count() == STUDIES
        summary = page.locator(".study summary").first
        summary.click()
        assert page.locator("a[href='study_006/brief.km.pdf']").is_visible()


def test_the_texts_of_very_many_briefs_come_from_a_file_beside(
    browser: Browser, tmp_path: Path
) -> None:
    audiences = ("government", "workers", "employers", "buyers", "public")
    write_portal(tmp_path, write_many(tmp_path, 41, audiences))
    with visit(browser) as visited:
        page = visited.open(tmp_path / "index.html")
        page.get_by_role("searchbox").fill("ប្រាក់ឈ្នួល (006)")
        expect(page.locator(".study:visible")).to_have_count(1)
        page.get_by_label("Audience").select_option("buyers")
        link = page.locator(".study:visible h3 a")
        expect(link).to_have_attribute("href", "study_006/brief.buyers.km.html")
        expect(page.locator(".study:visible .message")).to_contain_text("រោងចក្រ")
        assert any(url.endswith("data.js") for url in visited.asked)
