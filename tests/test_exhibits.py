from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from evidence.errors import ExhibitError, StudyError
from evidence.exhibits import (
    COLUMNS,
    Exhibit,
    describe,
    draw,
    entitle_findings,
    figure_coefficients,
    find_font,
    label_row,
    lay_findings,
    list_variables,
    say_findings,
    show,
    subtitle,
    tabulate,
    words_of,
)
from evidence.findings import state
from evidence.measures import score_measures
from evidence.models import fit_specifications
from evidence.neck import Neck
from evidence.panel import build_panel
from evidence.sources import read_sources
from evidence.study import Study


def _exhibit(neck: Neck, kind: str) -> Exhibit:
    return next(e for e in neck.exhibits if e.specification["kind"] == kind)


def test_a_figure_is_the_same_bytes_twice_and_carries_no_date(
    chains: Study, chains_neck: Neck
) -> None:
    figure = _exhibit(chains_neck, "coefficients")
    first, second = (draw(figure, chains, "en", "wide") for _ in range(2))
    assert first == second
    assert b"<dc:date>" not in first
    assert b"<text" not in first


def test_the_narrow_figure_is_a_picture_of_its_own(chains: Study, chains_neck: Neck) -> None:
    figure = _exhibit(chains_neck, "coefficients")
    widths = [
        float(re.findall(rb'width="([\d.]+)pt"', draw(figure, chains, "en", width))[0])
        for width in ("wide", "narrow")
    ]
    assert widths == [7.0 * 72, 3.55 * 72]


def test_a_figure_has_as_many_marks_as_its_table_has_rows(chains: Study, chains_neck: Neck) -> None:
    figure = _exhibit(chains_neck, "coefficients")
    svg = draw(figure, chains, "en", "wide")
    told = figure.data["direction"].isin(["decrease", "increase"]).sum()
    filled = len(re.findall(rb"fill: #00558c; stroke: #00558c", svg))
    hollow = len(re.findall(rb"fill: #ffffff; stroke: #4f5a64", svg))
    assert (filled, hollow) == (told, len(figure.data) - told)


def test_the_alternative_text_tells_every_number_of_the_figure(
    chains: Study, chains_neck: Neck
) -> None:
    figure = _exhibit(chains_neck, "coefficients")
    text = describe(chains, "en", figure)
    for row in figure.rows:
        assert label_row(chains, "en", figure, row) in text
    assert text.count(", interval ") == len(figure.data)
    unclear = (figure.data["direction"] == "unclear").sum()
    assert text.count("includes no difference") == unclear > 0


def test_a_refused_claim_stands_in_the_table_and_not_in_the_figure(
    plants: Study, plants_neck: Neck
) -> None:
    table, figure = (_exhibit(plants_neck, kind) for kind in ("findings", "coefficients"))
    assert "union_within" in set(table.data["claim"])
    assert "union_within" not in set(figure.data["claim"])
    _, body = tabulate(plants, "en", table)
    refused = [row for row in body if row[2][1] == "refused"]
    assert refused[0][2][0] == "not estimated"
    assert refused[0][3][0] == ""


def test_a_figure_never_mixes_outcomes(plants_neck: Neck) -> None:
    figure = _exhibit(plants_neck, "coefficients")
    assert figure.data["outcome"].nunique() == 1
    assert figure.data["unit"].nunique() == 1


def test_exhibits_hold_aggregates_with_their_contributors(chains_neck: Neck) -> None:
    for exhibit in chains_neck.exhibits:
        assert tuple(exhibit.data.columns) == COLUMNS
        assert exhibit.data["contributors"].min() >= 10


def test_a_table_of_places_has_a_row_a_place_and_a_column_a_claim(
    chains: Study, chains_neck: Neck
) -> None:
    head, body = tabulate(chains, "en", _exhibit(chains_neck, "findings"))
    assert len(body) == 7
    assert len(head) == 2 + len(chains.claims) == len(body[0])
    assert body[0][0][0] == "Bangladesh, garment"
    assert body[-1][0][0] == "Viet Nam, electronics"


def test_claims_run_down_where_they_outnumber_places(chains: Study, chains_neck: Neck) -> None:
    whole = _exhibit(chains_neck, "findings")
    few = whole.data[whole.data["case"].isin(["BGD-garment", "KHM-garment"])]
    few = few.reset_index(drop=True)
    head, body = lay_findings(chains, "en", replace(whole, data=few))
    assert head == ["Comparison", "Bangladesh, garment", "Cambodia, garment"]
    assert len(body) == len(chains.claims) + 1
    assert body[0][0][0].startswith("A worker-management committee: the non-compliance rate")
    assert body[-1] == [("Factories", "", ""), ("120", "", ""), ("120", "", "")]
    crossed = {row[0][0]: row[2:] for row in lay_findings(chains, "en", whole)[1]}
    turned = [[row[n + 1] for row in body[:-1]] for n in range(2)]
    assert turned == [crossed[place] for place in head[1:]]
    found = {(row["case"], row["claim"]): row["finding"] for row in whole.rows}
    assert body[0][2][2] == found["KHM-garment", chains.claims[0].id]


def test_a_claim_that_a_place_lacks_is_said_to_be_not_estimated(
    chains: Study, chains_neck: Neck
) -> None:
    whole = _exhibit(chains_neck, "findings")
    lacking = whole.data.drop(index=1).reset_index(drop=True)
    _, body = lay_findings(chains, "en", replace(whole, data=lacking))
    assert body[0][3] == ("not estimated", "untested", "")


def test_what_all_comparisons_share_is_told_once(chains: Study, chains_neck: Neck) -> None:
    whole = _exhibit(chains_neck, "findings")
    assert entitle_findings("en", whole) == "All comparisons of this study, place by place"
    alike = whole.data[whole.data["outcome"] == "noncompliance"].reset_index(drop=True)
    shown = replace(whole, data=alike)
    assert entitle_findings("en", shown).endswith("place by place (percentage points)")
    assert "(percentage points)" not in "".join(lay_findings(chains, "en", shown)[0])
    one = alike[alike["case"] == "BGD-garment"].reset_index(drop=True)
    head, body = lay_findings(chains, "en", replace(whole, data=one))
    assert head[0] == "Comparison: the non-compliance rate"
    assert (len(head), head[1], head[3]) == (4, "Estimate", "Factories")
    assert {len(row) for row in body} == {len(head)}


def test_words_never_fall_back_to_another_language(plants: Study) -> None:
    row = {"outcome": "log_scrap", "exposure": "d88", "moderator": ""}
    bare = [replace(v, label={}) if v.name == "d88" else v for v in plants.variables]
    plants = replace(plants, variables=tuple(bare))
    named = words_of(plants, "en", row)
    assert (named["outcome"], named["exposure"]) == ("the scrap rate", "d88")
    with pytest.raises(StudyError, match=r"no noun\.xx"):
        words_of(plants, "xx", row)
    with pytest.raises(StudyError, match=r"plants\.toml: variables 'd88': no label\.ja"):
        words_of(plants, "ja", row)


def test_a_table_is_not_drawn(plants: Study, plants_neck: Neck) -> None:
    with pytest.raises(ExhibitError, match="kind 'findings'"):
        draw(_exhibit(plants_neck, "findings"), plants, "en", "wide")


def test_a_figure_without_an_estimate_is_refused() -> None:
    with pytest.raises(ExhibitError, match="no finding with an estimate"):
        figure_coefficients(())


def test_the_font_comes_from_a_package() -> None:
    path = find_font("Noto Sans", 400)
    assert path.is_file()
    assert "site-packages" in path.parts


def test_intervals_are_drawn_for_every_row(chains_neck: Neck) -> None:
    figure = _exhibit(chains_neck, "coefficients")
    assert not figure.data[["conf_low", "conf_high"]].isna().any().any()
    assert isinstance(figure.data, pd.DataFrame)


def test_a_frame_is_shown_without_empty_columns_and_says_what_the_others_mean() -> None:
    counts = pd.array([3, None], dtype="Int64")
    frame = pd.DataFrame(
        {"estimate": [0.5, None], "n_clusters": counts, "reason": ["", None], "<own>": "a"},
        index=pd.Index(["x", "y"], name="term"),
    )
    told = show(frame).data
    table, _, legend = told.partition("<details>")
    heads = re.findall(r"<th>(?:<div[^>]*>)?([^<]*)<", table.partition("<tbody>")[0])
    assert [head for head in heads if head] == ["estimate", "n_clusters", "&lt;own&gt;", "term"]
    assert re.findall("<div style=\"text-align: left\">(.*?)</div>", table) == [
        "&lt;own&gt;", "term", "x", "a", "y", "a",
    ]  # fmt: skip
    assert re.findall("<code>(.*?)</code>", legend) == ["term", "estimate", "n_clusters"]
    assert "NA" not in table
    assert "<th>0</th>" not in show(pd.DataFrame({"rows": [2.0]})).data
    assert "<td>2</td>" in show(pd.DataFrame({"rows": [2.0]})).data
    assert "<td>0.0</td>" in show(pd.DataFrame({"p_value": [0.0]})).data
    assert "<th>&lt;b&gt;</th>" in show(pd.DataFrame({"<b>": [2.0]})).data
    lasting = pd.DataFrame([[0.5, 0.4]], index=pd.Index([90], name="days")).rename_axis(columns="x")
    assert "<th>x</th>" in show(lasting).data
    assert show(frame.drop(index=["x", "y"])).data == "<p>No rows.</p>"
    assert "<details>" not in show(frame[["<own>"]].rename_axis(None)).data


def test_a_sentence_is_shown_as_text_and_a_small_number_with_its_digits() -> None:
    assert show("a < b").data == "<p>a &lt; b</p>"
    told = show(pd.DataFrame({"estimate": [0.61081, -0.00000312, 0.00007, 1e-12]})).data
    cells = re.findall("<td>(?:<div[^>]*>)?([^<]*)<", told)
    assert cells == ["0.6108", "-0.0000031", "0.000070", "0.0000"]


def test_heads_of_several_levels_are_joined() -> None:
    frame = pd.DataFrame([[1.5, 2.5]], columns=pd.MultiIndex.from_product([["first"], ["a", "b"]]))
    assert re.findall("<th>([^<]+)</th>", show(frame).data) == ["first, a", "first, b"]


def test_a_date_stays_on_one_line() -> None:
    told = show(pd.DataFrame({"date": ["2021-11-30", "2019"]})).data
    assert told.count("white-space: nowrap") == 1
    assert 'nowrap">2021-11-30<' in told


def test_a_table_of_checks_says_what_they_ask() -> None:
    keys = [("s", "hansen"), ("s", "within_share x"), ("s", "unknown")]
    index = pd.MultiIndex.from_tuples(keys, names=["specification", "check"])
    legend = show(pd.DataFrame({"value": [1.5, 0.5, 0.5]}, index=index)).data
    said = re.findall("<code>(.*?)</code>", legend)
    assert said == ["specification", "check", "value", "hansen", "within_share"]


def test_a_sentence_in_a_notebook_stands_beside_what_was_taken_into_account(
    plants: Study,
) -> None:
    case = plants.cases[0]
    panel = build_panel(plants, score_measures(plants, read_sources(plants, case, 1)))
    fits = fit_specifications(panel, "plants", case=case.id)
    table = say_findings(state(panel, fits), plants)
    assert table.loc["union_between", "accounted_for"] == "employees (log)"
    assert "the year before, year" in str(table.loc["union_within", "accounted_for"])


def test_a_figure_counts_the_entities_of_each_estimate_where_they_differ(
    plants: Study, plants_neck: Neck
) -> None:
    figure = _exhibit(plants_neck, "coefficients")
    told = subtitle(plants, "en", figure).replace("\N{NO-BREAK SPACE}", " ")
    assert "; 53 to 54 plants behind each estimate;" in told
    alike = replace(figure, data=figure.data.assign(n_entities=54))
    assert "; 54 plants;" in subtitle(plants, "en", alike).replace("\N{NO-BREAK SPACE}", " ")
    days = [replace(v, unit="day") if v.role == "time" else v for v in plants.variables]
    daily = replace(plants, variables=tuple(days))
    assert "Year 1987" in subtitle(daily, "en", figure)
    bare = [replace(v, label={}) if v.role == "time" else v for v in days]
    assert "; 1987" in subtitle(replace(plants, variables=tuple(bare)), "en", figure)


def test_the_variables_of_a_study_are_listed_in_its_words(chains: Study) -> None:
    table = list_variables(chains)
    assert list(table.index) == [v.name for v in chains.variables]
    assert table.loc["factory", "meaning"] == "factory"
    meaning = list(table[["meaning", "unit"]].loc["committee"])
    assert meaning == ["a worker-management committee", "yes (1) or no (0)"]
    assert table["part"].str.startswith(tuple(v.role for v in chains.variables)).all()


def test_a_figure_of_simulated_data_says_so_without_a_true_effect_too(
    chains: Study, chains_neck: Neck, plants: Study, plants_neck: Neck
) -> None:
    figure = _exhibit(chains_neck, "coefficients")
    bare = replace(figure, data=figure.data.assign(reference=float("nan")))
    assert subtitle(chains, "en", bare).endswith("; simulated data")
    assert "simulated" not in subtitle(plants, "en", _exhibit(plants_neck, "coefficients"))
