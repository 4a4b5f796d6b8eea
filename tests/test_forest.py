"""Forests: places that are pooled, the range of a further one, and specifications by date."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evidence.brief.evidence import tell_evidence
from evidence.disclosure import Cleared, clear
from evidence.disclosure.agreement import check_agreement
from evidence.disclosure.rules import check_estimates, check_findings
from evidence.errors import DisclosureError, ExhibitError
from evidence.exhibits import (
    Exhibit,
    describe,
    draw,
    entitle,
    figure_coefficients,
    figure_forest,
    subtitle,
    table_findings,
    tabulate,
)
from evidence.exhibits.tiles import list_tiles
from evidence.findings import state
from evidence.language import LANGUAGES
from evidence.measures import score_measures
from evidence.models import Fit, fit
from evidence.neck import Neck, read_neck, write_neck
from evidence.panel import Panel, build_panel
from evidence.sources import read_sources
from evidence.study import Study, load_study
from samples import make_project, study_file
from tables import make_frame, make_panel_of, make_study

SPECIFICATIONS = ("compiled", "together", "canteen_compiled")
CELLS = "committee cell "


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return load_study(study_file(make_project(tmp_path_factory.mktemp("forest")), "synthesis"))


@pytest.fixture(scope="module")
def panel(study: Study) -> Panel:
    return build_panel(study, score_measures(study, read_sources(study, study.cases[0], 1)))


@pytest.fixture(scope="module")
def fits(panel: Panel) -> tuple[Fit, ...]:
    return tuple(fit(panel, name) for name in SPECIFICATIONS)


@pytest.fixture(scope="module")
def neck(panel: Panel, fits: tuple[Fit, ...], tmp_path_factory: pytest.TempPathFactory) -> Neck:
    folder = tmp_path_factory.mktemp("neck")
    findings = state(panel, fits)
    shown = (
        figure_coefficients(findings),
        figure_forest(fits[0]),
        figure_forest(fits[0], drawn_as="map"),
        table_findings(findings),
    )
    write_neck(str(folder), panel, fits, findings, shown)
    return read_neck(folder)


def _exhibit(neck: Neck, name: str = "forest") -> Exhibit:
    return next(exhibit for exhibit in neck.exhibits if exhibit.id == name)


def _show(neck: Neck, data: pd.DataFrame) -> Neck:
    return replace(neck, exhibits=(replace(_exhibit(neck), data=data),))


def test_the_estimate_of_a_place_is_that_of_its_rows_alone(
    panel: Panel, fits: tuple[Fit, ...]
) -> None:
    estimates = fits[0].estimates.set_index("term")
    rows = panel.data[panel.data["cell"] == "KHM-garment"].reset_index()
    dummies = pd.get_dummies(rows[["entity", "time"]].astype(str), dtype=float)
    columns = np.column_stack([rows["committee"].astype(float), dummies])
    expected = np.linalg.lstsq(columns, rows["violations"].astype(float), rcond=None)[0][0]
    place = estimates.loc[f"{CELLS}KHM-garment"]
    assert place["estimate"] == pytest.approx(expected)
    assert (place["nobs"], place["n_entities"], place["level"]) == (360, 60, "factory")
    assert (estimates.loc["committee", "n_entities"], estimates.loc["committee", "level"]) == (
        720, "sector",
    )  # fmt: skip


def test_the_range_of_a_further_place_follows_from_the_places(fits: tuple[Fit, ...]) -> None:
    estimates = fits[0].estimates.set_index("term")
    places = estimates[estimates.index.str.startswith(CELLS)]
    assert len(places) == 12
    checks = {check.name: check.value for check in fits[0].diagnostics}
    weights = 1 / (places["std_error"] ** 2 + checks["tau2 committee"])
    error = np.sqrt(checks["tau2 committee"] + 1 / weights.sum())
    mean = (weights * places["estimate"]).sum() / weights.sum()
    reach = stats.t.ppf(0.975, 10) * error
    further = estimates.loc["committee further cell"]
    assert further["std_error"] == pytest.approx(error, rel=1e-3)
    ends = [further["conf_low"], further["conf_high"]]
    assert ends == pytest.approx([mean - reach, mean + reach], rel=1e-3)
    assert estimates["p_value"].isna().sum() == 1
    own = estimates.loc["committee"]
    assert further["conf_high"] - further["conf_low"] > 2 * (own["conf_high"] - own["conf_low"])


def test_the_units_behind_a_place_are_those_of_its_thinnest_side(panel: Panel, neck: Neck) -> None:
    rows = panel.data[panel.data["cell"] == "KHM-garment"].reset_index()
    moves = rows.groupby("factory")["committee"].nunique()
    counts = {
        "with": rows[rows["committee"] == 1]["factory"].nunique(),
        "without": rows[rows["committee"] == 0]["factory"].nunique(),
        "moving": int((moves > 1).sum()),
    }
    data = _exhibit(neck).data.set_index("place")
    assert data.loc["KHM-garment", "contributors"] == min(counts.values())
    named = neck.protected["units"][f"all/compiled/{CELLS}KHM-garment"]
    assert len(named) == min(counts.values())
    assert set(named) <= set(rows["factory"])


def test_a_forest_passes_neck_and_gate(neck: Neck, study: Study) -> None:
    check_agreement(neck, study)
    checks = [*check_findings(neck, study.disclosure), *check_estimates(neck, study)]
    assert [check.output for check in checks if check.verdict != "pass"] == ["all/together"]
    outputs = {check.output for check in checks}
    assert f"forest/all/compiled/{CELLS}JPN-garment" in outputs
    assert f"all/compiled/{CELLS}JPN-garment" in outputs


@pytest.mark.parametrize(
    ("column", "place", "value", "file"),
    [
        ("estimate", "BGD-garment", -9.0, "estimates"),
        ("conf_high", "further cell", -0.1, "estimates"),
        ("place", "BGD-garment", "VNM-garment", "estimates"),
        ("n_entities", "BGD-garment", 61, "estimates"),
        ("contributors", "BGD-garment", 59, "protected"),
        ("contributors", "", 721, "protected"),
    ],
)
def test_no_other_row_gets_through_the_gate(
    neck: Neck, study: Study, column: str, place: str, value: Any, file: str
) -> None:
    data = _exhibit(neck).data.copy()
    data.loc[data["place"] == place, column] = value
    with pytest.raises(DisclosureError, match=f"numbers that {file}"):
        check_agreement(_show(neck, data), study)


def test_a_place_cannot_be_left_out(neck: Neck, study: Study) -> None:
    with pytest.raises(DisclosureError, match="numbers that estimates"):
        check_agreement(_show(neck, _exhibit(neck).data.iloc[1:]), study)


def test_a_thin_place_is_refused(neck: Neck, study: Study) -> None:
    data = _exhibit(neck).data.copy()
    data.loc[data["place"] == "BGD-garment", "contributors"] = 9
    failed = [c for c in check_findings(_show(neck, data), study.disclosure) if c.verdict == "fail"]
    assert [check.output for check in failed] == [f"forest/all/compiled/{CELLS}BGD-garment"]
    estimates = neck.estimates.copy()
    estimates.loc[estimates["term"] == f"{CELLS}BGD-garment", "nobs"] = 70
    told = check_estimates(replace(neck, estimates=estimates), study)
    failed = [check for check in told if check.verdict == "fail"]
    assert [(c.output, c.rule) for c in failed] == [(f"all/compiled/{CELLS}BGD-garment", "dof")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_range_and_average_are_named_in_words_and_numbers(
    neck: Neck, study: Study, language: str
) -> None:
    exhibit = _exhibit(neck)
    head, body = tabulate(study, language, exhibit)
    assert (len(head), len(body)) == (4, 14)
    (average, estimate, interval, _), (further, nothing, reach, _) = body[-2:]
    assert estimate[1] == "decrease"
    assert nothing == ("", "")
    assert reach != interval
    alt = describe(study, language, exhibit)
    assert f"{further[0]}" in alt
    assert reach[0] in alt
    assert average[0] in alt
    for form in ("forest", "map"):
        assert "\n" not in subtitle(study, language, _exhibit(neck, form))
    assert reach[0] in subtitle(study, language, _exhibit(neck, "map"))


def test_the_title_counts_the_places_in_which_a_difference_can_be_told(
    neck: Neck, study: Study
) -> None:
    places = _exhibit(neck).data.iloc[:12]
    lower = int((places["conf_high"] < 0).sum())
    assert 0 < lower < 12
    assert f"lower in {lower} of 12 places" in entitle(study, "en", _exhibit(neck))
    assert "Cambodia, garment" in describe(study, "en", _exhibit(neck))


def test_what_cannot_be_told_is_hollow_and_the_range_is_dashed(neck: Neck, study: Study) -> None:
    places = _exhibit(neck).data.iloc[:12]
    inside = int(((places["conf_low"] <= 0) & (places["conf_high"] >= 0)).sum())
    svg = draw(_exhibit(neck), study, "en", "wide")
    assert len(re.findall(rb"fill: #ffffff; stroke: #4f5a64", svg)) == inside
    assert svg.count(b"stroke-dasharray") == 1
    assert draw(_exhibit(neck), study, "en", "wide") == svg


def test_the_map_has_a_tile_a_country_and_a_line_a_sector(neck: Neck, study: Study) -> None:
    tiles = list_tiles(study, "vi", _exhibit(neck, "map"))
    assert {iso3: len(lines) for iso3, lines in tiles.items()} == dict.fromkeys(
        ("BGD", "KHM", "VNM", "JPN"), 3
    )
    told = [line.told for lines in tiles.values() for line in lines]
    places = _exhibit(neck).data.iloc[:12]
    assert sum(map(bool, told)) == int((places["conf_high"] < 0).sum())
    assert draw(_exhibit(neck, "map"), study, "vi", "narrow").startswith(b"<?xml")


def test_places_that_no_pack_names_are_no_map(neck: Neck, study: Study) -> None:
    exhibit = _exhibit(neck, "map")
    named = exhibit.data["place"].replace({"BGD-garment": "somewhere"})
    changed = replace(exhibit, data=exhibit.data.assign(place=named))
    assert "Somewhere" in tabulate(study, "en", changed)[1][6][0][0]
    with pytest.raises(ExhibitError, match="country pack and a sector pack"):
        list_tiles(study, "en", changed)


def test_specifications_stand_beside_each_other_by_exposure_and_method(
    fits: tuple[Fit, ...], study: Study
) -> None:
    together, canteen = fits[1], fits[2]
    exhibit = figure_forest(together, replace(canteen, estimates=canteen.estimates.iloc[:1]))
    assert list(exhibit.data["exposure"]) == ["committee", "canteen"]
    _, body = tabulate(study, "en", exhibit)
    assert [row[0][0] for row in body] == [
        "A worker-management committee",
        "A canteen, fixed effects in each place, pooled by random effects",
    ]
    assert "where no method is named: " in subtitle(study, "en", exhibit)
    assert "can be told in 1 of 2" in entitle(study, "en", exhibit)
    with pytest.raises(ExhibitError, match="of pooled_cells"):
        figure_forest(together, drawn_as="map")


def test_units_are_not_mixed(fits: tuple[Fit, ...]) -> None:
    other = fits[1].estimates.assign(unit="log points")
    with pytest.raises(ExhibitError, match="2 units"):
        figure_forest(fits[1], replace(fits[1], estimates=other))


def test_two_pages_hold_the_range_and_the_page_holds_the_map_as_well(
    neck: Neck, study: Study
) -> None:
    cleared = clear(neck, study)
    assert isinstance(cleared, Cleared)
    blocks = {b["name"]: b for b in tell_evidence(cleared, "en", whole=True) if "name" in b}
    assert blocks["forest"]["further"] is False
    assert blocks["map"]["further"] is True


def test_an_exposure_above_the_factory_has_no_interval_in_a_place(panel: Panel) -> None:
    coarse = tuple(
        replace(v, level="sector") if v.name == "committee" else v for v in panel.study.variables
    )
    above = replace(panel, study=replace(panel.study, variables=coarse))
    assert list(fit(above, "compiled").estimates["term"]) == ["committee"]


def test_other_estimators_have_no_terms_of_places(tmp_path: Path) -> None:
    panel = make_panel_of(make_study(tmp_path), make_frame(40, years=3))
    assert list(fit(panel, "within").estimates["term"]) == ["x"]
