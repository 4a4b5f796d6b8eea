"""Figures of the house: what they show, what they say, and that nothing in them touches."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from evidence.disclosure import clear
from evidence.disclosure.agreement import check_agreement
from evidence.errors import DisclosureError, ExhibitError, NeckError
from evidence.exhibits import (
    Exhibit,
    describe,
    draw,
    entitle,
    figure_benchmark,
    figure_coefficients,
    figure_curve,
    figure_forest,
    list_figures,
    name_case,
    part_measures,
    present,
    show,
    subtitle,
    table_cells,
    tabulate,
)
from evidence.exhibits import style as looks
from evidence.exhibits.drawing import _DRAWN
from evidence.exhibits.series import list_series
from evidence.exhibits.style import Width, style
from evidence.exhibits.tiles import arrange
from evidence.language import LANGUAGES, format_number
from evidence.models import Curve, Design, draw_curve, fit, list_adopters
from evidence.neck import Neck, read_neck, save_neck
from evidence.panel import Panel, select_sample
from evidence.study import Study
from tables import list_rows, make_frame, make_neck, make_panel_of, make_study, protect, with_rules

LABELS = {"committee": "a committee of workers and managers that meets"}
NOUNS = ("factory", "factories")
WIDTHS: tuple[Width, ...] = ("wide", "narrow")
FORMS = (
    "panels",
    "pairs",
    "sides",
    "map",
    "map_cells",
    "path",
    "long_path",
    "forest",
    "benchmark",
    "coefficients",
    "curve",
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    plain = make_study(tmp_path_factory.mktemp("figures"))
    named = tuple(
        replace(v, label=dict.fromkeys(LANGUAGES, LABELS.get(v.name, v.name)),
                noun=dict.fromkeys(LANGUAGES, NOUNS))
        if v.role != "time" else v
        for v in plain.variables
    )  # fmt: skip
    return replace(plain, variables=named)


@pytest.fixture(scope="module")
def panel(study: Study) -> Panel:
    return make_panel_of(study, make_frame(60, years=4))


def _frames(study: Study, chains: Study) -> dict[str, pd.DataFrame]:
    return {case.id: make_frame(50 + 5 * n, country=case.id[:3], years=5, seed=n)
            for n, case in enumerate(chains.cases)}  # fmt: skip


def _cells(
    study: Study, chains: Study, by: list[str], drawn_as: Any, value: str = "wage"
) -> Exhibit:
    parts = [
        table_cells(make_panel_of(study, frame), value, by, "mean", case=case, drawn_as=drawn_as)
        for case, frame in _frames(study, chains).items()
    ]
    data = pd.concat([part.data for part in parts], ignore_index=True)
    return Exhibit(parts[0].id, parts[0].specification, data)


def _adopting(study: Study, count: int = 80, years: int = 7) -> Panel:
    """Make a panel in which most factories adopt ``x`` at different dates, some never."""
    frame = make_frame(count, years=years)
    entity = frame.groupby("factory").ngroup().to_numpy()
    start = np.where(entity % 4 == 3, np.inf, 2020 + entity % 3)
    frame["x"] = (frame["year"].to_numpy() >= start).astype(float)
    frame["y"] += np.where(frame["x"] == 1, -3.0, 0.0)
    return make_panel_of(study, frame)


def _curve() -> Curve:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["x", "wage", "union"])
    frame["firm"], frame["y"] = np.repeat(np.arange(40), 5), 0.2 * frame["x"] + rng.normal(size=200)
    names = ["x", "wage", "union"]
    design = Design(frame["y"], frame[names], frame[["firm"]], frame["firm"])
    return draw_curve({"all": design}, "x", draws=99)


@pytest.fixture(scope="module")
def figures(study: Study, panel: Panel, chains: Study, chains_neck: Neck) -> dict[str, Any]:
    """Map form → (exhibit, study that holds its words)."""
    cases = tuple(
        replace(case, names=tuple({**dict.fromkeys(LANGUAGES, n["en"]), **n} for n in case.names))
        for case in chains.cases
    )
    told = replace(study, cases=cases, root=chains.root, data=chains.data)
    labelled = tuple(
        replace(v, label={**dict.fromkeys(LANGUAGES, v.name), **v.label},
                noun={**dict.fromkeys(LANGUAGES, NOUNS), **v.noun})
        for v in chains.variables
    )  # fmt: skip
    chains = replace(chains, cases=cases, variables=labelled)
    rows = next(e for e in chains_neck.exhibits if e.id == "coefficients")
    tiles = Exhibit("map", {**rows.specification, "drawn_as": "map"}, rows.data)
    adopting = _adopting(study)
    path = fit(adopting, "path")
    long = dict.fromkeys(LANGUAGES, "a rule in force to publish what assessments have found")
    wordy = tuple(replace(v, label=long) if v.name == "x" else v for v in study.variables)
    return {
        "panels": (_cells(study, chains, ["year"], "panels"), told),
        "pairs": (_cells(study, chains, ["year"], "pairs"), told),
        "sides": (_cells(study, chains, ["committee"], "pairs"), told),
        "map": (tiles, chains),
        "map_cells": (_cells(study, chains, [], "map"), told),
        "path": (figure_coefficients(path), study),
        "long_path": (figure_coefficients(path), replace(study, variables=wordy)),
        "forest": (
            figure_forest(*(fit(adopting, name) for name in ("within", "pooled")), path),
            replace(study, variables=wordy),
        ),
        "benchmark": (figure_benchmark(panel, "VNM-0003", ["wage", "employment"]), study),
        "coefficients": (rows, chains),
        "curve": (figure_curve(_curve(), simulated=True), study),
    }


def _picture(exhibit: Exhibit, study: Study, language: str, width: Width) -> Figure:
    looked = style(language)
    with sns.axes_style("white", looked), mpl.rc_context(cast("Any", looked)):
        figure = _DRAWN[exhibit.form](exhibit, study, language, width)
        cast("Any", FigureCanvasAgg(figure)).draw()
    return figure


def _texts(figure: Figure) -> list[Text]:
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_no_text_touches_another_or_leaves_the_picture(
    figures: dict[str, Any], form: str, language: str, width: Width
) -> None:
    figure = _picture(figures[form][0], figures[form][1], language, width)
    boxes = {t: t.get_window_extent() for t in _texts(figure)}
    edge = figure.bbox
    for text, box in boxes.items():
        assert float(text.get_fontsize()) >= 7.5, text.get_text()
        assert box.x0 >= edge.x0 - 1, text.get_text()
        assert box.x1 <= edge.x1 + 1, text.get_text()
        assert box.y0 >= edge.y0 - 2, text.get_text()
        assert box.y1 <= edge.y1 + 2, text.get_text()
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1.5 or b.y1 <= a.y0 + 1.5
        assert apart, f"{one.get_text()!r} touches {other.get_text()!r}"


@pytest.mark.parametrize("form", FORMS)
def test_a_figure_is_the_same_bytes_twice_in_both_formats(
    figures: dict[str, Any], form: str
) -> None:
    exhibit, study = figures[form]
    for kind in ("svg", "png"):
        one, other = (draw(exhibit, study, "en", "wide", format=cast("Any", kind)) for _ in "ab")
        assert one == other
    svg = draw(exhibit, study, "en", "narrow")
    assert b"<text" not in svg
    assert re.findall(rb'width="([\d.]+)pt"', svg)[0] == b"255.6"


@pytest.mark.parametrize("form", FORMS)
def test_a_figure_is_presented_with_its_words_and_its_numbers(
    figures: dict[str, Any], form: str
) -> None:
    exhibit, study = figures[form]
    told = present(study, "en", exhibit)
    assert told["wide"].startswith("data:image/svg+xml;base64,")
    assert told["wide"] != told["narrow"]
    assert all(told[key].strip() for key in ("id", "kind", "title", "subtitle", "alt"))
    assert all(len(row) == len(told["table"]["head"]) for row in told["table"]["body"])
    assert "<figure>" in show(exhibit, study).data
    assert "{" not in "".join(told[key] for key in ("title", "subtitle", "alt"))


def test_the_first_and_last_value_of_each_panel_are_those_of_the_data(
    figures: dict[str, Any],
) -> None:
    exhibit, study = figures["panels"]
    alt = describe(study, "en", exhibit)
    for case, rows in exhibit.data.groupby("case", sort=False):
        label = name_case(study, "en", str(case))
        first, last = (format_number("en", rows["value"].iloc[n], decimals=2) for n in (0, -1))
        years = rows["year"].iloc[0], rows["year"].iloc[-1]
        assert f"{label}: {first} ({years[0]}), {last} ({years[1]})." in alt
    shown = {t.get_text() for t in _texts(_picture(exhibit, study, "en", "wide"))}
    assert all({one.texts[0], one.texts[-1]} <= shown for one in list_series(study, "en", exhibit))


def test_panels_share_their_axes_and_show_the_others_in_grey(figures: dict[str, Any]) -> None:
    exhibit, study = figures["panels"]
    figure = _picture(exhibit, study, "en", "narrow")
    limits = {(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}
    assert len(limits) == 1
    count = exhibit.data["case"].nunique()
    assert len(figure.axes) == count
    for axes in figure.axes:
        colors = [line.get_color() for line in axes.lines]
        assert colors.count(looks.GREY) == count - 1


def test_values_of_panels_touch_no_line(figures: dict[str, Any]) -> None:
    exhibit, study = figures["panels"]
    figure = _picture(exhibit, study, "en", "wide")
    ends = {t for one in list_series(study, "en", exhibit) for t in (one.texts[0], one.texts[-1])}
    for axes in figure.axes:
        lines = [line for line in axes.lines if len(np.asarray(line.get_xdata())) > 1]
        for text in (t for t in axes.texts if t.get_text() in ends):
            box = text.get_window_extent()
            for line in lines:
                path = line.get_transform().transform_path(line.get_path())
                assert not path.intersects_bbox(box, filled=False), text.get_text()


def test_pairs_are_sorted_by_the_later_value_and_say_which_way_they_went(
    figures: dict[str, Any],
) -> None:
    exhibit, study = figures["pairs"]
    _, body = tabulate(study, "en", exhibit)
    last = [float(row[2][0]) for row in body]
    assert last == sorted(last, reverse=True)
    series = list_series(study, "en", exhibit)
    lower = sum(one.change < 0 for one in series)
    assert f"lower in {lower}" in entitle(study, "en", exhibit)
    assert "50 to 80 factories" in subtitle(study, "en", exhibit).replace("\N{NO-BREAK SPACE}", " ")


def test_a_title_is_neutral_where_no_value_moved(study: Study) -> None:
    frame = make_frame(40, years=3).assign(wage=7.0)
    one = table_cells(make_panel_of(study, frame), "wage", ["year"], "mean", drawn_as="panels")
    assert entitle(study, "en", one) == "Wage over time"


def test_a_withheld_value_breaks_the_line_and_is_said(figures: dict[str, Any]) -> None:
    exhibit, study = figures["panels"]
    data = exhibit.data.copy()
    first = data["case"] == data["case"].iloc[0]
    data.loc[first, "value"] = math.nan
    data.loc[first, "status"] = "suppressed"
    hidden = replace(exhibit, data=data)
    assert "Bangladesh, garment: withheld." in describe(study, "en", hidden)
    head, body = tabulate(study, "en", hidden)
    assert body[0][1:] == [("withheld", "refused")] * (len(head) - 1)
    texts = {t.get_text() for t in _texts(_picture(hidden, study, "en", "narrow"))}
    assert "withheld" in texts


def test_a_thin_cell_in_a_figure_is_refused_by_the_gate(study: Study) -> None:
    def thin(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        return (table_cells(panel, "wage", ["year"], "mean", case=case, drawn_as="panels"),)

    strict = with_rules(study, threshold=10)
    with pytest.raises(DisclosureError, match=r"panels/case=VNM\|year=2018.*fewer than 10"):
        clear(make_neck(study, {"VNM": make_frame(9)}, thin), strict)
    clear(make_neck(study, {"VNM": make_frame(60)}, thin), strict)


def test_several_variables_are_judged_apart_and_drawn_together(study: Study, panel: Panel) -> None:
    exhibit = table_cells(panel, ["wage", "y"], ["year"], "mean", drawn_as="pairs")
    neck = make_neck(study, {"all": make_frame(60)}, _parted)
    assert [e.id for e in neck.exhibits] == ["pairs_wage", "pairs_y"]
    told = clear(neck, with_rules(study)).neck
    (joined,) = list_figures(told.exhibits)
    assert [one.label for one in list_series(study, "en", joined)] == ["Wage", "Y"]
    assert [one.label for one in list_series(study, "en", exhibit)] == ["Wage", "Y"]
    assert "Wage: " in describe(study, "en", joined)


def _parted(panel: Panel, case: str) -> tuple[Exhibit, ...]:
    return part_measures(
        table_cells(panel, ["wage", "y"], ["year"], "mean", case=case, drawn_as="pairs")
    )


def _path_neck(study: Study, panel: Panel) -> Neck:
    fitted = fit(panel, "path")
    exhibit = figure_coefficients(fitted)
    spec = fitted.specification
    listed = list_adopters(select_sample(panel, spec), spec)
    units = {f"all/path/{term}": names for term, names in listed.items()}
    return Neck(fitted.estimates, [], (exhibit,), protect(units))


def test_the_path_of_an_adoption_passes_neck_and_gate_and_no_other_number_does(
    study: Study, plants_neck: Neck, tmp_path: Path
) -> None:
    neck = _path_neck(study, _adopting(study))
    check_agreement(_public(neck), study)
    save_neck(replace(plants_neck, exhibits=neck.exhibits), tmp_path / "neck")
    (exhibit,) = read_neck(tmp_path / "neck").exhibits
    pd.testing.assert_frame_equal(exhibit.data, neck.exhibits[0].data)
    assert exhibit.specification["reference"] == -1
    changed = exhibit.data.assign(estimate=exhibit.data["estimate"] + 0.1)
    with pytest.raises(DisclosureError, match="numbers that estimates"):
        check_agreement(_public(replace(neck, exhibits=(replace(exhibit, data=changed),))), study)
    fewer = replace(exhibit, data=exhibit.data.iloc[1:])
    with pytest.raises(DisclosureError, match="numbers that estimates"):
        check_agreement(_public(replace(neck, exhibits=(fewer,))), study)


def _public(neck: Neck) -> Neck:
    return replace(neck, protected={**neck.protected, "confidentiality": "public"})


def test_a_path_says_which_intervals_include_zero_and_marks_the_reference(
    figures: dict[str, Any],
) -> None:
    exhibit, study = figures["path"]
    alt = describe(study, "en", exhibit)
    inside = sum(low <= 0 <= high for low, high in
                 zip(exhibit.data["conf_low"], exhibit.data["conf_high"], strict=True))  # fmt: skip
    assert alt.count("includes no difference") == inside
    assert "Period \N{MINUS SIGN}1: the period that all others are compared with." in alt
    svg = draw(exhibit, study, "en", "wide")
    assert len(re.findall(rb"fill: #ffffff; stroke: #4f5a64", svg)) == inside
    after = (exhibit.data["event"] >= 0) & (exhibit.data["conf_high"] < 0)
    assert f"lower in {after.sum()} of" in entitle(study, "en", exhibit)


def test_a_fit_without_a_path_is_refused(panel: Panel) -> None:
    with pytest.raises(ExhibitError, match="without periods since adoption"):
        figure_coefficients(fit(panel, "within"))


@pytest.mark.parametrize(
    ("places", "most", "expected"),
    [
        ({"BGD": (90, 24), "VNM": (106, 16), "KHM": (105, 12.5), "JPN": (138, 36)}, 2,
         {"BGD": (0, 0), "KHM": (0, 1), "JPN": (1, 0), "VNM": (1, 1)}),
        ({"JPN": (138, 36)}, 5, {"JPN": (0, 0)}),
        ({"XXX": None, "YYY": None}, 5, {"XXX": (0, 0), "YYY": (1, 0)}),
        ({"JPN": (138, 36), "XXX": None}, 5, {"JPN": (0, 0), "XXX": (0, 1)}),
    ],
)  # fmt: skip
def test_tiles_keep_west_left_and_north_up(
    places: dict[str, Any], most: int, expected: dict[str, Any]
) -> None:
    assert arrange(places, most) == expected


def test_ten_countries_have_a_tile_each() -> None:
    places = {f"C{n:02d}": (float(n * 37 % 100), float(n * 53 % 60)) for n in range(10)}
    for most in (2, 5):
        spots = arrange({name: places[name] for name in places}, most)
        assert len(set(spots.values())) == 10
        assert max(column for column, _ in spots.values()) < most


def test_the_map_of_the_programme_puts_japan_in_the_north_east() -> None:
    places = {"BGD": (90.0, 24.0), "VNM": (106.0, 16.0), "KHM": (105.0, 12.5), "JPN": (138.0, 36.0)}
    spots = arrange(places, 5)
    assert [min(spots, key=lambda iso: spots[iso][1]), max(spots, key=lambda i: spots[i][0])] == [
        "JPN", "JPN",
    ]  # fmt: skip
    assert spots["BGD"][0] < spots["KHM"][0] < spots["VNM"][0] < spots["JPN"][0]


def test_a_map_needs_cases_of_countries(study: Study, panel: Panel) -> None:
    one = table_cells(panel, "wage", [], "mean", drawn_as="map")
    with pytest.raises(ExhibitError, match="names no country"):
        draw(one, study, "en", "wide")


def test_a_benchmark_shows_percentiles_with_peers_on_both_sides(panel: Panel) -> None:
    exhibit = figure_benchmark(panel, "VNM-0003", ["wage"])
    data = exhibit.data
    assert set(data["contributors"]) == {59}
    assert data[["below", "above"]].to_numpy().min() >= 10
    wages = panel.data.reset_index(drop=True)
    last = wages[(wages["year"] == 2021) & (wages["factory"] != "VNM-0003")]["wage"]
    expected = [float(f"{last.quantile(q):.2g}") for q in (0.25, 0.5, 0.75)]
    assert list(data["value"]) == expected
    assert last.max() not in set(data["value"])


@pytest.mark.parametrize(("count", "message"), [(10, "9 peers"), (15, "14 peers"), (21, None)])
def test_a_benchmark_among_few_peers_is_refused(
    study: Study, count: int, message: str | None
) -> None:
    panel = make_panel_of(study, make_frame(count))
    if message is None:
        assert list(figure_benchmark(panel, "VNM-0003", ["wage"]).data["percentile"]) == [50.0]
        return
    with pytest.raises(ExhibitError, match=message):
        figure_benchmark(panel, "VNM-0003", ["wage"])


@pytest.mark.parametrize(
    ("factory", "values", "message"),
    [("nobody", ["wage"], "no value"), ("VNM-0003", ["pay"], "'pay'"), ("VNM-0003", [], "no variable")],
)  # fmt: skip
def test_a_benchmark_of_nothing_is_refused(
    panel: Panel, factory: str, values: list[str], message: str
) -> None:
    with pytest.raises(ExhibitError, match=message):
        figure_benchmark(panel, factory, values)


def test_neither_neck_nor_gate_lets_a_benchmark_out(
    study: Study, panel: Panel, plants_neck: Neck, tmp_path: Path
) -> None:
    exhibit = figure_benchmark(panel, "VNM-0003", ["wage"])
    with pytest.raises(NeckError, match="benchmark"):
        save_neck(replace(plants_neck, exhibits=(exhibit,)), tmp_path / "neck")
    neck = Neck(list_rows([]), [], (exhibit,), protect({}))
    for confidentiality in ("restricted", "simulated", "public"):
        told = replace(neck, protected={**neck.protected, "confidentiality": confidentiality})
        with pytest.raises(DisclosureError, match="kind 'benchmark', which stays in the house"):
            check_agreement(_public(told), study)
    with pytest.raises(DisclosureError, match="stays in the house"):
        clear(_public(neck), study)


def _contrast(one: str, other: str = "#ffffff") -> float:
    """Compute the contrast ratio of two colours (WCAG 2.2, relative luminance)."""

    def luminance(color: str) -> float:
        parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ground", ["#ffffff", "#eef4f8"])
def test_colours_of_marks_and_texts_can_be_seen(ground: str) -> None:
    for text in (looks.INK, looks.BLUE, looks.MUTED):
        assert _contrast(text, ground) >= 4.5
    for mark in looks.SERIES:
        assert _contrast(mark) >= 2.995
    assert len(looks.SERIES) == 4


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("form", FORMS)
def test_every_text_of_a_figure_has_a_colour_that_can_be_read(
    figures: dict[str, Any], form: str, width: Width
) -> None:
    for text in _texts(_picture(figures[form][0], figures[form][1], "en", width)):
        assert _contrast(mpl.colors.to_hex(text.get_color()), "#eef4f8") >= 4.5, text.get_text()


def test_join_keeps_a_figure_of_every_case(study: Study) -> None:
    def panels(panel: Panel, case: str) -> tuple[Exhibit, ...]:
        return (table_cells(panel, "wage", ["year"], "mean", case=case, drawn_as="panels"),)

    neck = make_neck(study, {c: make_frame(40, country=c) for c in ("A", "B")}, panels)
    (figure,) = list_figures(neck.exhibits)
    assert figure.form == "panels"
    assert set(figure.data["case"]) == {"A", "B"}
