"""The programme's lines: the registry, a study's lines, and the page that lists findings by them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from conftest import ROOT
from evidence.brief.card import list_claims
from evidence.brief.imprint import DRAFT
from evidence.brief.page import render_notices, render_page
from evidence.disclosure import Edition, clear
from evidence.errors import StudyError
from evidence.language import check_prose, say
from evidence.neck import Neck
from evidence.portal import Site, write_portal
from evidence.portal.feeds import localise
from evidence.portal.site import Unfetched
from evidence.portal.wording import list_languages
from evidence.study import LANGUAGES, Study, list_slugs, load_study, read_programme
from portal_cards import make_card, write_card

PROGRAMME = "data/programme.toml"
IDS = (
    "compliance", "productivity", "root_causes", "remediation", "data", "good_practice", "policy",
    "organizations", "home_host", "synthesis", "countries", "public", "capacity",
)  # fmt: skip
TOLD = {"claim": "main", "role": "headline", "sentence": "Fewer <b>violations</b>.", "grade": "low",
        "n_cases": 7, "nobs": 12345}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the font out: it takes seconds, and the browser's tests look at it."""
    monkeypatch.setattr("evidence.portal.page.embed_fonts", lambda *_: "")


def _section(page: str, line: str) -> str:
    found = re.search(rf'<section class="line" aria-labelledby="{line}">.*?</section>', page, re.S)
    assert found is not None
    return found[0]


def test_the_registry_has_every_line_in_every_language_without_a_figure() -> None:
    lines = read_programme(ROOT)
    assert tuple(line.id for line in lines) == IDS
    for line in lines:
        for words in (line.name, line.question):
            assert set(words) == set(LANGUAGES)
            for language, text in words.items():
                check_prose(language, text, f"{line.id}.{language}", placeholders=False)


def test_every_study_belongs_to_a_line_of_the_registry() -> None:
    known = {line.id for line in read_programme(ROOT)}
    for slug in list_slugs(ROOT):
        lines = load_study(ROOT / "notebooks/studies" / f"{slug}.toml").heading.lines
        assert lines, slug
        assert set(lines) <= known


def test_an_unknown_line_is_refused_with_the_nearest_where_there_is_a_registry(
    fresh_project: Path,
) -> None:
    path = fresh_project / "notebooks/studies/plants.toml"
    path.write_text(path.read_text("utf-8").replace('"productivity"]', '"productivty"]'), "utf-8")
    assert load_study(path).heading.lines == ("productivty",)
    shutil.copy(ROOT / PROGRAMME, fresh_project / PROGRAMME)
    with pytest.raises(
        StudyError, match=r"study\.lines: .*'productivty'.*did you mean 'productivity'"
    ):
        load_study(path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [('id = "public"', 'id = "policy"', "twice"), ("name.km = ", "name.xx = ", r"no name\.km")],
)
def test_a_wrong_registry_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (ROOT / PROGRAMME).read_text("utf-8").replace(old, new, 1)
    (tmp_path / "data").mkdir()
    (tmp_path / PROGRAMME).write_text(text, "utf-8")
    with pytest.raises(StudyError, match=rf"data/programme\.toml: lines .*{told}"):
        read_programme(tmp_path)


def test_of_each_claim_role_rows_and_cases_are_told(
    plants: Study, plants_neck: Neck, chains: Study, chains_neck: Neck
) -> None:
    for study, neck, cases in ((plants, plants_neck, 1), (chains, chains_neck, 7)):
        told = list_claims(clear(neck, study), "en")
        assert [claim["claim"] for claim in told] == [claim.id for claim in study.claims]
        assert {claim["n_cases"] for claim in told} == {cases}
        for claim in told:
            group = [e for e in neck.findings if e["claim"] == claim["claim"]]
            rows = [e["nobs"] for e in group if e["kind"] == "finding"]
            assert claim["nobs"] == sum(rows)


def test_a_card_carries_lines_and_findings_and_a_notice_the_lines_alone(
    plants: Study, plants_neck: Neck
) -> None:
    cleared = clear(plants_neck, plants)
    card = json.loads(render_page(cleared, "en", "government", DRAFT)["brief.en.json"])
    assert card["lines"] == ["productivity"]
    assert card["findings"] == list_claims(cleared, "en")
    assert card["messages"] == [claim["sentence"] for claim in card["findings"]][:4]
    gone = Edition(1, "2026-11-20", "", "", (), "", {}, withdrawn="2026-11-22", reason="error")
    notice = json.loads(render_notices(plants, gone)["brief.en.json"])
    assert (notice["lines"], notice["findings"]) == (["productivity"], [])


def test_the_compendium_tells_each_line_with_studies_findings_and_placebo(tmp_path: Path) -> None:
    site = Site(
        lines=read_programme(ROOT),
        unfetched=(Unfetched("far", "Far <away>", "en", ("pwt",), ("countries",)),),
    )
    placebo = {**TOLD, "claim": "no", "role": "placebo", "sentence": "We cannot tell."}
    caught = {**placebo, "found": True, "sentence": "Next year's as well."}
    findings = [TOLD, placebo, caught]
    for language in ("en", "bn"):
        card = make_card("plants", language, lines=["policy", "public"], findings=findings)
        write_card(tmp_path / "plants", card)
    index = write_portal(tmp_path, ["plants"], site).read_text("utf-8")
    assert 'href="compendium.html"' in index
    page = (tmp_path / "compendium.html").read_text("utf-8")
    assert tuple(re.findall(r'<section class="line" aria-labelledby="(\w+)"', page)) == IDS
    for line in ("policy", "public"):
        told = _section(page, line)
        assert "Fewer &lt;b&gt;violations&lt;/b&gt;." in told
        for words in ("Rows of data: 12,345", "sector): 7", "Certainty: low", "Simulated data"):
            assert words in told
        assert told.index("A check that should find nothing:") < told.index("We cannot tell.")
        assert told.index("but does find something") < told.index("Next year&#39;s as well.")
        assert 'href="plants/brief.en.html"' in told
    assert "No study of this line has a brief yet." in _section(page, "data")
    assert "Far &lt;away&gt;</span> (<code>pwt</code>)" in _section(page, "countries")
    assert "১২,৩৪৫" in (tmp_path / "compendium.bn.html").read_text("utf-8")


def test_the_compendium_is_whole_in_every_language_and_asks_the_network_for_nothing(
    tmp_path: Path,
) -> None:
    write_card(tmp_path / "plants", make_card("plants", lines=["policy"], findings=[TOLD]))
    site = Site(lines=read_programme(ROOT))
    write_portal(tmp_path, ["plants"], site)
    for language in list_languages():
        page = (tmp_path / localise("compendium.html", language)).read_text("utf-8")
        assert f'<html lang="{language}">' in page
        assert say(language, "portal.no_result") in page
        assert "default-src 'none'" in page
        assert "<script" not in page
        assert "://" not in page
        links = [link for link in re.findall(r'href="([^"]+)"', page) if link[0] != "#"]
        assert all((tmp_path / link).is_file() for link in links)
        assert {localise("compendium.html", other) for other in list_languages()} <= set(links)
        anchors = {link[1:] for link in re.findall(r'href="(#[^"]+)"', page)}
        assert anchors <= set(re.findall(r'id="([^"]+)"', page))
    write_portal(tmp_path, ["plants"])
    assert not list(tmp_path.glob("compendium*"))
    assert "compendium" not in (tmp_path / "index.html").read_text("utf-8")
