from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import BriefError, StudyError
from evidence.portal import Site, read_site, write_portal
from evidence.portal.cards import read_entries
from evidence.portal.changes import tell_changes
from evidence.portal.feeds import ATOM, SITEMAP, localise, write_feed
from evidence.portal.page import fold
from evidence.portal.wording import list_languages, name_goal
from portal_cards import MESSAGES, make_card, write_card, write_many, write_replies_of

OLD = {
    "slug": "plants",
    "language": "en",
    "title": "A <b>title</b>",
    "question": "A question?",
    "simulated": False,
    "messages": ["A message."],
    "grade": "low",
}
A = f"{{{ATOM}}}"
DAY = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
EDITION: dict[str, Any] = {"state": "published", "edition": 1, "date": "2026-05-04"}


@pytest.fixture(autouse=True)
def _no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the font out: it takes seconds, and the browser's tests look at it."""
    monkeypatch.setattr("evidence.portal.page.embed_fonts", lambda *_: "")


def _page(public: Path, slugs: list[str], site: Site | None = None) -> str:
    return write_portal(public, slugs, site).read_text("utf-8")


def _links(page: str) -> list[str]:
    return [link for link in re.findall(r'href="([^"]+)"', page) if not link.startswith("#")]


def test_the_portal_lists_every_brief_with_links_that_exist(tmp_path: Path) -> None:
    write_card(tmp_path / "plants", OLD)
    write_card(tmp_path / "chains", {**OLD, "simulated": True})
    page = _page(tmp_path, ["chains", "plants"])
    assert all((tmp_path / link).is_file() for link in _links(page))
    assert page.index("chains/brief.en.html") < page.index("plants/brief.en.html")
    assert page.count("Simulated data") == 1


def test_every_page_of_many_studies_has_links_that_exist(tmp_path: Path) -> None:
    slugs = write_many(tmp_path, 4, ("government", "workers"))
    write_portal(tmp_path, slugs)
    for language in list_languages():
        links = _links((tmp_path / localise("index.html", language)).read_text("utf-8"))
        assert {localise("index.html", other) for other in list_languages()} <= set(links)
        assert "study_001/brief.workers.km.docx" in links
        assert all((tmp_path / link).is_file() for link in links)


def test_the_portal_escapes_what_it_lists_and_names_no_host(tmp_path: Path) -> None:
    write_card(tmp_path / "plants", {**OLD, "question": "</script><script>alert(1)</script>"})
    page = _page(tmp_path, ["plants"])
    assert "A &lt;b&gt;title" in page
    assert "<script>alert" not in page
    assert set(re.findall(r"https?://[^\s\"]+", page)) == {"https://schema.org"}
    assert "default-src 'none'" in page
    assert "unsafe" not in page


def test_a_portal_without_briefs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BriefError, match=r"no brief.*evidence brief"):
        write_portal(tmp_path, ["chains", "plants"])


@pytest.mark.parametrize(
    "change", [{"messages": "text"}, {"state": "gone"}, {"title": None, "formats": 1}]
)
def test_a_file_that_is_no_card_is_refused_and_nothing_is_lost(
    tmp_path: Path, change: dict[str, object]
) -> None:
    write_card(tmp_path / "plants", OLD)
    before = _page(tmp_path, ["plants"])
    (tmp_path / "plants/brief.en.json").write_text(json.dumps({**OLD, **change}), "utf-8")
    with pytest.raises(BriefError, match=r"plants/brief\.en\.json: something else"):
        write_portal(tmp_path, ["plants"])
    assert (tmp_path / "index.html").read_text("utf-8") == before


def test_the_same_cards_give_the_same_bytes(tmp_path: Path) -> None:
    slugs = write_many(tmp_path, 3)
    write_portal(tmp_path, slugs)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.*")}
    write_portal(tmp_path, slugs[::-1])
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def test_versions_of_a_study_are_one_entry_told_in_the_visitors_language(tmp_path: Path) -> None:
    slugs = write_many(tmp_path, 2, ("government", "workers", "buyers"))
    page = _page(tmp_path, slugs)
    assert page.count('class="study"') == 2
    assert page.count("data-audience=") == 2 * 5 * 3
    assert '<h3 lang="en">' in page
    for language in list_languages():
        other = (tmp_path / localise("index.html", language)).read_text("utf-8")
        assert f'<html lang="{language}">' in other
        assert f'<h3 lang="{language}">' in other


def test_a_study_without_the_visitors_language_is_shown_in_one_that_it_has(
    tmp_path: Path,
) -> None:
    write_card(tmp_path / "plants", make_card("plants", "vi"))
    page = _page(tmp_path, ["plants"])
    assert '<h3 lang="vi">' in page
    assert page.count("Machine-checked, not yet reviewed") == 2
    assert '<span class="new">Machine' in page


def test_searched_text_is_folded_and_free_of_what_cannot_be_seen() -> None:
    assert fold("រោង\u200bចក្រ") == "រោងចក្រ"
    assert fold("ＡＢＣ ﾊﾟｰﾄ") == "abc パート"
    assert fold("Tie\u0302\u0301ng") == "tiếng"


def test_above_a_thousand_briefs_the_texts_lie_beside_the_page(tmp_path: Path) -> None:
    write_portal(tmp_path, write_many(tmp_path, 2))
    assert not (tmp_path / "data.js").exists()
    slugs = write_many(tmp_path, 41, ("government", "workers", "employers", "buyers", "public"))
    page = _page(tmp_path, slugs)
    texts = (tmp_path / "data.js").read_text("ascii")
    assert '<script src="data.js">' in page
    assert "data-text=" not in page
    found = json.loads(texts.removeprefix("window.evidenceTexts=").rstrip(";\n"))
    assert len(found) == 41 * 5
    assert fold(MESSAGES["km"]) in found["study_007/km"][0]


def test_the_feed_is_valid_atom(tmp_path: Path) -> None:
    slugs = write_many(tmp_path, 4)
    write_portal(tmp_path, slugs)
    for language in list_languages():
        feed = ET.fromstring((tmp_path / localise("feed.xml", language)).read_bytes())
        assert feed.tag == f"{A}feed"
        entries = feed.findall(f"{A}entry")
        assert len(entries) == 2 * 2
        assert feed.find(f"{A}author/{A}name") is not None
        for node in (feed, *entries):
            for tag in ("id", "title", "updated"):
                assert len(node.findall(f"{A}{tag}")) == 1
            assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", node.findtext(f"{A}id", ""))
            assert DAY.fullmatch(node.findtext(f"{A}updated", ""))
        days = [entry.findtext(f"{A}updated", "") for entry in entries]
        assert days == sorted(days, reverse=True)
        assert feed.findtext(f"{A}updated") == days[0]
        assert len({entry.findtext(f"{A}id") for entry in entries}) == len(entries)
        for entry in entries:
            links = [(link.get("rel"), link.get("href", "")) for link in entry.findall(f"{A}link")]
            assert [rel for rel, _ in links].count("alternate") == 1
            assert all((tmp_path / href).is_file() for _, href in links)
            assert entry.findtext(f"{A}summary")


def test_the_feed_survives_signs_that_xml_forbids_and_takes_the_address(tmp_path: Path) -> None:
    card = make_card("plants", title="A \x0b<title>", **EDITION)
    write_card(tmp_path / "plants/editions/1", card)
    write_card(tmp_path / "plants", card)
    entries = read_entries(tmp_path, ["plants"])
    feed = ET.fromstring(write_feed("en", entries, Site("https://example.org/e/")) or b"")
    assert feed.findtext(f"{A}entry/{A}title") == "A <title>"
    link = feed.find(f"{A}entry/{A}link")
    assert link is not None
    assert link.get("href") == "https://example.org/e/plants/editions/1/brief.en.html"
    near = ET.fromstring(write_feed("en", entries, Site()) or b"")
    assert near.findtext(f"{A}entry/{A}id") == feed.findtext(f"{A}entry/{A}id")


def test_without_an_edition_there_is_no_feed_and_without_an_address_no_sitemap(
    tmp_path: Path,
) -> None:
    write_card(tmp_path / "plants", OLD)
    (tmp_path / "feed.xml").write_text("an older one", "utf-8")
    page = _page(tmp_path, ["plants"])
    assert not (tmp_path / "feed.xml").exists()
    assert "feed" not in page
    assert not (tmp_path / "sitemap.xml").exists()
    _page(tmp_path, ["plants"], Site("https://example.org/"))
    urlset = ET.fromstring((tmp_path / "sitemap.xml").read_bytes())
    places = [loc.text for loc in urlset.iter(f"{{{SITEMAP}}}loc")]
    assert places[-1] == "https://example.org/plants/brief.en.html"
    assert len(places) == len(list_languages()) + 1


def test_the_list_of_briefs_and_the_description_for_machines_are_whole(tmp_path: Path) -> None:
    slugs = write_many(tmp_path, 3)
    page = _page(tmp_path, slugs)
    listed = json.loads((tmp_path / "briefs.json").read_text("utf-8"))
    assert [len(study["briefs"]) for study in listed["studies"]] == [5, 5, 5]
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert found is not None
    graph = json.loads(found[1])["@graph"]
    assert [node["@type"] for node in graph] == ["DataCatalog", "Report", "Report", "Report"]
    for report in graph[1:]:
        assert {"name", "inLanguage", "url", "abstract", "encoding"} <= set(report)
        assert len(report["workTranslation"]) == 4
        assert (tmp_path / report["url"]).is_file()


def test_what_changed_is_told_from_the_last_two_editions(tmp_path: Path) -> None:
    first = make_card("plants", grade="low", title="Old <title>", messages=["One.", "Two."])
    second = make_card("plants", grade="moderate", title="New", messages=["One.", "Three."])
    write_card(tmp_path / "plants/editions/1", {**first, **EDITION})
    write_card(tmp_path / "plants/editions/2", {**second, **EDITION, "edition": 2})
    write_card(tmp_path / "plants", {**second, **EDITION, "edition": 2})
    [entry] = read_entries(tmp_path, ["plants"])
    lines = tell_changes("en", entry)
    assert lines[0].text == "Certainty of the evidence: moderate; it was: low."
    assert [line.quoted for line in lines] == ["", "Old <title>", "Three.", "Two."]
    page = _page(tmp_path, ["plants"])
    assert '<q lang="en">Old &lt;title&gt;</q>' in page


def test_of_a_withdrawn_edition_nothing_is_told_but_that(tmp_path: Path) -> None:
    notice = make_card("plants", title="Plants", messages=[], grade="", **EDITION)
    notice |= {"state": "withdrawn", "withdrawn": "2026-06-01"}
    write_card(tmp_path / "plants/editions/1", notice)
    write_card(tmp_path / "plants", notice)
    write_replies_of(tmp_path / "plants")
    page = _page(tmp_path, ["plants"])
    assert "Edition 1 was withdrawn on 1 June 2026." in page
    assert "floors" not in page
    assert "floors" not in (tmp_path / "briefs.json").read_text("utf-8")
    feed = (tmp_path / "feed.xml").read_text("utf-8")
    assert "2026-06-01T00:00:00Z" in feed
    assert "Withdrawn" in feed
    later = make_card("plants", **{**EDITION, "edition": 2})
    write_card(tmp_path / "plants/editions/2", later)
    [entry] = read_entries(tmp_path, ["plants"])
    assert [line.text for line in tell_changes("en", entry)] == [
        "Edition 1 was withdrawn on 1 June 2026."
    ]


def test_replies_stand_beside_the_finding_in_their_own_language(tmp_path: Path) -> None:
    write_card(tmp_path / "plants", make_card("plants", claims=["main"]))
    write_replies_of(tmp_path / "plants")
    page = _page(tmp_path, ["plants"])
    assert 'Reply to the finding:</span> <span lang="en">Factories with' in page
    assert '<blockquote lang="en"><p>We see the same &lt;on&gt; our floors.</p>' in page
    assert "A union that does not exist (Workers), 1 September 2026" in page


def test_goals_are_named_and_what_is_none_is_refused(tmp_path: Path) -> None:
    for language in list_languages():
        for goal in ("5", "8.2", "8.5", "8.7", "8.8", "12.6", "17"):
            assert len(name_goal(language, goal)) > len(goal) + 3
    assert name_goal("en", "8.3") == "8.3 Decent work and economic growth"
    write_card(tmp_path / "plants", make_card("plants", sdg=["18"]))
    with pytest.raises(BriefError, match="the goal '18'"):
        write_portal(tmp_path, ["plants"])


def test_the_site_file_is_checked(tmp_path: Path) -> None:
    assert read_site(tmp_path) == Site()
    file = tmp_path / "data/portal.toml"
    file.parent.mkdir()
    file.write_text('schema_version = 1\naddress = "https://example.org/evidence/"\n', "utf-8")
    assert read_site(tmp_path).address == "https://example.org/evidence/"
    for wrong in ('address = "example.org"', 'adress = "https://example.org/"'):
        file.write_text(f"schema_version = 1\n{wrong}\n", "utf-8")
        with pytest.raises((BriefError, StudyError), match=r"data/portal\.toml: add?ress"):
            read_site(tmp_path)
