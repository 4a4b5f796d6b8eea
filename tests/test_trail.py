"""Every number of a page leads back to a finding, its estimate, its cell and its data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from evidence.brief.blocks import blocks_of
from evidence.brief.exporter import BriefExporter
from evidence.brief.model import compose
from evidence.disclosure import Cleared, clear
from evidence.language import say
from evidence.neck import Neck
from evidence.run import find_cells
from evidence.study import Study, load_study
from samples import edit

NUMBER = re.compile(r"\u2212?\d+(?:[.,]\d+)*")


def _trails(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {b["name"]: b for b in blocks_of(model, "trail") if b["kind"] == "trail"}


def _text(trail: dict[str, Any]) -> str:
    return " ".join(told for _, told in trail["steps"])


def _numbers(text: str) -> set[str]:
    """Find the numbers of a text; a sign of a range or a hyphen is none of theirs."""
    return {found.lstrip("\u2212") for found in NUMBER.findall(text)}


@pytest.fixture(params=["plants", "chains"])
def cleared(request: pytest.FixtureRequest) -> Cleared:
    study: Study = request.getfixturevalue(request.param)
    neck: Neck = request.getfixturevalue(f"{request.param}_neck")
    return clear(neck, study)


def test_each_finding_comparison_and_exhibit_has_one_trail(cleared: Cleared) -> None:
    model = compose(cleared, "en")
    names = [b["name"] for b in blocks_of(model, "trail") if b["kind"] == "trail"]
    expected = [entry["id"] for entry in cleared.neck.findings]
    expected += [f"exhibit-{exhibit.id}" for exhibit in cleared.neck.exhibits]
    rows = [e["rows"][0] for e in cleared.neck.findings if e["kind"] == "finding"]
    expected += {f"specification-{row['specification']}" for row in rows}
    assert sorted(names) == sorted(expected)


def test_no_number_of_a_page_is_without_a_trail(cleared: Cleared) -> None:
    model = compose(cleared, "en")
    trails = _trails(model)
    for entry in blocks_of(model, "messages")[0]["items"]:
        behind = " ".join(_text(trails[name]) for name in entry["rests"])
        assert entry["rests"]
        assert _numbers(entry["text"]) <= _numbers(behind)
    everything = {number for trail in trails.values() for number in _numbers(_text(trail))}
    assert _numbers(model["title"]) <= everything
    for block in blocks_of(model, "evidence"):
        shown = block["table"] if block["kind"] == "figure" else block
        if block["kind"] == "figure":
            told = f"{block['alt']} {block['subtitle']}"
            assert _numbers(told) <= everything
            counts = block["source"].rpartition("calculations")[0][-60:]
            assert _numbers(counts.partition(". ")[2]) <= everything
        assert f"exhibit-{block['name']}" in trails
        for row in shown["body"]:
            behind = " ".join(_text(trails[n]) for cell in row for n in cell["rests"])
            for cell in row[1:]:
                own = " ".join(_text(trails[name]) for name in cell["rests"]) or behind
                assert _numbers(cell["text"]) <= _numbers(own), cell


def test_a_finding_goes_from_its_sentence_to_the_command(chains: Study, chains_neck: Neck) -> None:
    model = compose(clear(chains_neck, chains), "en")
    name = "committee_compliance__bgd_garment"
    steps = dict(_trails(model)[name]["steps"])
    entry = next(e for e in chains_neck.findings if e["id"] == name)
    row = entry["rows"][0]
    assert list(steps) == [
        "Sentence", "Finding", "Estimate", "Specification", "Data fingerprint",
        "Reproduce this number",
    ]  # fmt: skip
    assert row["sha256"][:12] in steps["Estimate"]
    assert "Row compliance_within / committee of estimates.csv" in steps["Estimate"]
    counts = f"{entry['nobs']} observations of {entry['n_entities']} factories, 2018 to 2024"
    clusters = f"clusters: {entry['n_clusters']}, by factory (CR1)"
    assert steps["Specification"] == f"compliance_within; {clusters}; {counts}"
    assert _trails(model)[name]["rests"] == ["specification-compliance_within"]
    behind = dict(_trails(model)["specification-compliance_within"]["steps"])
    for word in ("lead time", "each factory, each period", "fixed effects"):
        assert word in behind["Specification"]
    assert behind["Notebook"] == "notebooks/value_chains.ipynb, cell fit-models"
    assert steps["Data fingerprint"] == f"value_chains {entry['data']['value_chains'][:12]}"
    file = "notebooks/studies/value_chains.toml"
    assert steps["Reproduce this number"] == f"evidence run {file} && evidence brief {file}"


def test_a_comparison_leads_to_the_findings_that_it_compares(
    chains: Study, chains_neck: Neck
) -> None:
    trails = _trails(compose(clear(chains_neck, chains), "en"))
    block = trails["committee_compliance"]
    entry = next(e for e in chains_neck.findings if e["id"] == "committee_compliance")
    assert block["rests"] == entry["findings"]
    assert set(block["rests"]) <= set(trails)
    assert "Bangladesh, garment" in dict(block["steps"])["Findings compared"]


def test_a_notebook_that_does_not_call_the_verb_is_told(
    fresh_project: Path, plants_neck: Neck
) -> None:
    notebook = fresh_project / "notebooks/plants.ipynb"
    assert find_cells(notebook, "fit_specifications") == ["fit-models"]
    edit(notebook, "ev.fit_specifications(panel", "getattr(ev, VERB)(panel")
    study = load_study(fresh_project / "notebooks/studies/plants.toml")
    trails = _trails(compose(clear(plants_neck, study), "en"))
    told = dict(trails["specification-within"]["steps"])["Notebook"]
    assert told == "notebooks/plants.ipynb; no cell of it calls fit_specifications by name"


def test_in_html_every_link_has_its_target_and_the_trail_stays_small(
    chains: Study, chains_neck: Neck
) -> None:
    cleared = clear(chains_neck, chains)
    page, made = BriefExporter().from_cleared(cleared, "en")
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = re.findall(r'href="#([^"]+)"', page)
    assert set(links) <= set(ids)
    cells = sum(bool(c["rests"]) for b in blocks_of(made["brief"], "evidence")
                for r in (b.get("table") or b)["body"] for c in r)  # fmt: skip
    assert cells == page.count('<td><a href="#trail-') + page.count("&nbsp;</span><a href")
    start = page.index('<section class="trail"')
    trail = page[start : page.index("</section>", start)]
    assert trail.count("<details") == len(_trails(made["brief"]))
    assert len(trail.encode()) < 60_000


def test_a_trail_holds_nothing_of_the_machine_or_the_hour(cleared: Cleared) -> None:
    model = compose(cleared, "en")
    told = " ".join(map(_text, _trails(model).values()))
    assert str(cleared.study.root) not in told
    assert model["sections"] == compose(cleared, "en")["sections"]
    assert say("en", "brief.trail") in [part["title"] for part in model["sections"]]
