from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conftest import ROOT, write_case
from evidence.brief import check_text, write_brief
from evidence.brief.blocks import list_texts
from evidence.brief.exporter import BriefExporter
from evidence.brief.model import _how, compose
from evidence.brief.names import name_points
from evidence.disclosure import clear
from evidence.errors import BriefError, DisclosureError, EvidenceError, LanguageError
from evidence.language import finding_fields, format_number, shown_decimals
from evidence.models import Fit
from evidence.neck import Neck
from evidence.study import Study, load_study

NUMBER = re.compile("[\u2212+]?\\d+(?:,\\d{3})*(?:\\.\\d+)?")


class _Text(HTMLParser):
    """Collect the text of <main> and every alt text."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.parts = False, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = self.inside or tag == "main"
        self.parts += [value for name, value in attrs if name == "alt" and value]

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "main"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.parts.append(data)


def _page(study: Study, neck: Neck) -> str:
    return BriefExporter().from_cleared(clear(neck, study), "en")[0]


@pytest.fixture(scope="module")
def plants_page(plants: Study, plants_neck: Neck) -> str:
    return _page(plants, plants_neck)


@pytest.fixture(scope="module")
def chains_page(chains: Study, chains_neck: Neck) -> str:
    return _page(chains, chains_neck)


def _carried(neck: Neck) -> set[str]:
    """Every number that findings.json can put on the page."""
    numbers: set[str] = set()
    for entry in neck.findings:
        numbers.update(NUMBER.findall(" ".join(finding_fields("en", entry).values())))
        for name in ("estimate", "conf_low", "conf_high"):
            if entry.get(name) is not None:
                shown = format_number("en", entry[name], decimals=shown_decimals(entry))
                numbers.add(shown)
    return numbers


def test_every_number_of_the_page_comes_from_findings(
    plants_page: str, chains_page: str, plants_neck: Neck, chains_neck: Neck
) -> None:
    for page, neck in ((plants_page, plants_neck), (chains_page, chains_neck)):
        reader = _Text()
        reader.feed(page.partition('<section class="trail"')[0])
        citations = "; ".join(neck.protected["citations"].values())
        text = " ".join(reader.parts).replace(citations, "").replace("\u00a0", " ")
        assert len(NUMBER.findall(text)) > 30
        assert set(NUMBER.findall(text)) - _carried(neck) == set()


def test_a_changed_estimate_changes_the_page(plants: Study, plants_neck: Neck) -> None:
    assert _page(plants, plants_neck) == _page(plants, plants_neck)

    def alter(fit: Fit) -> Fit:
        table = fit.estimates.copy()
        row = (table["specification"] == "within") & (table["term"] == "lag1_grant")
        table.loc[row, "estimate"] = -0.5
        return replace(fit, estimates=table)

    changed = write_case(plants, 0, "reports/internal/plants/changed", alter)
    assert "\u221239.3\u00a0per\u00a0cent" in _page(plants, changed)


def test_the_page_has_what_a_brief_must_have(chains_page: str) -> None:
    for words in ("Key messages", "What the data show", "How sure we are", "Source and data"):
        assert words in chains_page
    assert chains_page.count("<h1>") == 1
    assert "<figure>" in chains_page
    assert re.search(r'<img src="data:[^"]+" alt="[^"]{80,}', chains_page)
    assert '<html lang="en">' in chains_page
    assert 'scope="col"' in chains_page
    assert 'scope="row"' in chains_page
    assert "<caption>" in chains_page


def test_the_page_asks_the_network_for_nothing_and_runs_nothing(chains_page: str) -> None:
    assert not re.findall(r'(?:src|href|srcset)="(?!data:|#)', chains_page)
    assert "<script" not in chains_page
    assert "default-src 'none'" in chains_page
    assert "http" not in re.sub(r'http-equiv="', "", chains_page.split("</style>")[1])
    assert "input_area" not in chains_page


@pytest.mark.parametrize(
    ("effects", "told"),
    [(["entity", "time"], True), (["entity", "buyer:time"], True), (["entity"], False)],
)
def test_the_page_says_whether_a_common_calendar_is_taken_out(
    chains: Study, chains_neck: Neck, effects: list[str], *, told: bool
) -> None:
    within = [{**f, "effects": effects} for f in chains_neck.findings]
    cleared = clear(chains_neck, chains)
    said = " ".join(_how(replace(cleared, neck=replace(chains_neck, findings=within)), "en"))
    assert ("what changes for all in the same period is removed" in said) is told
    assert ("so can what changed for all" in said) is not told


def test_simulated_data_are_called_so_at_every_turn(chains_page: str, plants_page: str) -> None:
    title = re.findall(r"<title>(.*?)</title>", chains_page)[0]
    heading = re.findall(r"<h1>(.*?)</h1>", chains_page)[0]
    assert title.startswith("Simulated data")
    assert heading.startswith("Simulated data")
    assert chains_page.count("Simulated data") >= 6
    assert "imulated" not in plants_page


def test_the_questions_left_out_of_the_outcome_are_named(chains_page: str) -> None:
    assert "left out of the outcome: Bipartite committees" in chains_page


def test_items_left_out_read_as_the_points_they_belong_to(fresh_project: Path) -> None:
    record = fresh_project / "data/sources/value_chains.toml"
    text = record.read_text("utf-8")
    record.write_text(text.replace('= "simulated"\n\n[[', '= "better_work"\n\n[[', 1), "utf-8")
    study = load_study(fresh_project / "notebooks/studies/value_chains.toml")
    items = ["critical_khm_14_evacuation_drills", "critical_khm_15_exits_unlocked",
             "dialogue_and_disputes.4711.2"]  # fmt: skip
    told = ["Emergency preparedness", "Dialogue, discipline and disputes"]
    assert name_points(study, "en", items) == told
    with pytest.raises(BriefError, match=r"'emergency_preparedness': no name\.ja"):
        name_points(study, "ja", items)


def test_a_refusal_is_a_key_message(plants_page: str) -> None:
    assert "cannot speak about a union: in these data no plant gains or loses it" in plants_page


PLACES = {
    "title": ('title = "Unions', 'title = "Half of all unions'),
    "question": ('question = "How do', 'question = "In 12 plants, how do'),
    "background": ("Ministries ask", "Ministries ask, by 0.3 points,"),
    "limits": ("No plant gained", "Twenty per cent of plants gained"),
    "label": ('label.en = "a union"', 'label.en = "১২ unions"'),
    "noun": ('noun.en = ["plant", "plants"]', 'noun.en = ["plant", "½ plants"]'),
    "brief title": (
        "[brief.text.en]",
        '[brief.text.en]\ntitle = "Scrap falls by a third"',
    ),
    "caption of the figure": ('label.en = "the scrap rate"', 'label.en = "the scrap rate (5%)"'),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_typed_number_fails_the_build_and_names_the_line(fresh_project: Path, place: str) -> None:
    path = fresh_project / "notebooks/studies/plants.toml"
    text = path.read_text("utf-8")
    old, new = PLACES[place]
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(LanguageError, match=r"plants\.toml: .*is typed"):
        check_text(load_study(path))


def test_a_typed_number_in_the_name_of_a_place_fails_the_build(fresh_project: Path) -> None:
    pack = fresh_project / "data/countries/VNM.toml"
    pack.write_text(pack.read_text("utf-8").replace("Viet Nam", "Viet Nam 2"), "utf-8")
    with pytest.raises(LanguageError, match="VNM-garment"):
        check_text(load_study(fresh_project / "notebooks/studies/value_chains.toml"))


def test_a_typed_number_in_a_unit_fails_the_build(fresh_project: Path) -> None:
    path = fresh_project / "notebooks/studies/value_chains.toml"
    text = path.read_text("utf-8").replace('unit = "share"', 'unit = "cases per hundred"')
    path.write_text(text, "utf-8")
    with pytest.raises(LanguageError, match=r"variables\[4\]\.unit: .*'hundred' is typed"):
        check_text(load_study(path))


def test_a_placeholder_where_none_is_filled_is_refused(fresh_project: Path) -> None:
    path = fresh_project / "notebooks/studies/plants.toml"
    text = path.read_text("utf-8").replace('"a union"', '"a {{ grant_after.estimate }} union"')
    path.write_text(text, "utf-8")
    with pytest.raises(LanguageError, match="used as it stands"):
        check_text(load_study(path))


def test_an_unknown_placeholder_is_told_before_anything_runs(fresh_project: Path) -> None:
    path = fresh_project / "notebooks/studies/plants.toml"
    text = path.read_text("utf-8").replace("Ministries ask", "{{ grant_aftr.estimate }}")
    path.write_text(text, "utf-8")
    with pytest.raises(LanguageError, match=r"\{\{ grant_aftr\.estimate \}\}"):
        check_text(load_study(path))


def test_a_placeholder_is_filled_and_an_unknown_one_fails(
    fresh_project: Path, plants_neck: Neck
) -> None:
    path = fresh_project / "notebooks/studies/plants.toml"
    good = path.read_text("utf-8")
    wanted = "Here {{ grant_after.n_entities }} plants. Ministries ask"
    path.write_text(good.replace("Ministries ask", wanted), "utf-8")
    study = load_study(path)
    assert "Here 54 plants." in str(
        list_texts(compose(clear(plants_neck, study), "en"), "background")
    )
    path.write_text(good.replace("Ministries ask", "{{ grant.size }}"), "utf-8")
    with pytest.raises(LanguageError, match=r"\{\{ grant\.size \}\}.*expected one of grant_after"):
        compose(clear(plants_neck, load_study(path)), "en")


def test_a_hostile_label_is_text_and_not_code(fresh_project: Path, plants_neck: Neck) -> None:
    path = fresh_project / "notebooks/studies/plants.toml"
    hostile = "<script>x()</script><img src=x onerror=y>"
    text = path.read_text("utf-8").replace("a training grant the year before", hostile)
    path.write_text(text, "utf-8")
    page = _page(load_study(path), plants_neck)
    assert "<script>" not in page
    assert "<img src=x" not in page
    assert html.escape("<script>x()").lower() in page.lower()


def test_numbers_changed_after_clearing_are_refused(plants: Study, plants_neck: Neck) -> None:
    findings = [dict(entry) for entry in plants_neck.findings]
    neck = replace(plants_neck, findings=findings)
    cleared = clear(neck, plants)
    findings[0]["estimate"] = 12.0
    with pytest.raises(BriefError, match="differ from those cleared"):
        compose(cleared, "en")


def test_a_brief_that_would_leak_is_not_written_and_the_earlier_one_stays(
    plants: Study, plants_neck: Neck
) -> None:
    page = write_brief(clear(plants_neck, plants), "en")
    before = page.read_bytes()
    leaky = replace(plants_neck, protected={**plants_neck.protected, "identifiers": ["Ministries"]})
    with pytest.raises(DisclosureError, match="an identifier"):
        write_brief(clear(leaky, plants), "en")
    assert page.read_bytes() == before


def test_a_brief_is_written_as_the_same_bytes(plants: Study, plants_neck: Neck) -> None:
    pages = [write_brief(clear(plants_neck, plants), "en").read_bytes() for _ in range(2)]
    assert pages[0] == pages[1]


def test_a_language_without_catalogue_fails(plants: Study, plants_neck: Neck) -> None:
    with pytest.raises(EvidenceError, match=r"no catalogue|no (?:noun|label)\.xx|nothing on 'xx'"):
        write_brief(clear(plants_neck, plants), "xx")


def test_the_readme_tells_what_the_briefs_say(
    plants: Study, plants_neck: Neck, chains: Study, chains_neck: Neck, project: Path
) -> None:
    bargaining = load_study(project / "notebooks/studies/bargaining.toml")
    neck = write_case(bargaining, 0, "reports/internal/bargaining/cases/all/bargaining")
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    studies = ((plants, plants_neck), (bargaining, neck), (chains, chains_neck))
    for study, cleared in studies:
        title = compose(clear(cleared, study), "en")["title"]
        assert title in readme, study.slug
