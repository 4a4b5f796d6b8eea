"""The registry of policy events: dates with their sources, and the exposures made from them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

from evidence.errors import MeasureError, StudyError
from evidence.measures.events import expose, list_events, list_frames
from evidence.models import Design, estimate_adoption, estimate_cutoff, find_cohorts
from evidence.packs import PolicyEvent, load_events
from evidence.sources import simulate_equations
from evidence.sources.simulated.sections import Equations
from evidence.study import load_study
from samples import ROOT

EVENTS = {event.id: event for event in load_events(ROOT)}
IN_FORCE = "since_sim_reporting_rule_in_force"


def _draw(source: str, seed: int = 1) -> pd.DataFrame:
    raw = tomllib.loads((ROOT / f"data/sources/{source}.toml").read_text("utf-8"))
    system = TypeAdapter(Equations).validate_json(json.dumps(raw["equations"]))
    return simulate_equations(system, {}, seed)[0]


ROWS = _draw("policy_events")


def _since(name: str, rows: pd.DataFrame = ROWS) -> pd.Series:
    exposed = expose(name, rows, tuple(EVENTS.values()))
    assert exposed is not None
    return exposed


def test_every_date_has_a_source_and_conflicts_stand_side_by_side() -> None:
    table = list_events(load_study(ROOT / "notebooks/studies/policy_events.toml"))
    assert (table["source"].str.len() > 0).all()
    conflict = table.xs("bgd_epz_labour_act").xs("adopted")
    assert list(conflict["date"]) == ["2019", "2021-07-27"]
    assert conflict["dates_differ"].all()
    assert conflict["source"].nunique() == 2
    assert not table["dates_differ"].xs("khm_eba_withdrawal").any()


def test_a_date_whose_primary_source_nobody_saw_says_so() -> None:
    table = list_events(load_study(ROOT / "notebooks/studies/policy_events.toml"))
    unnamed = table["source"].str.contains("do not name")
    assert unnamed.any()
    assert set(table.loc[unnamed, "provenance"]) == {"secondary"}
    assert set(table.loc[table["source"].isin(["Lexology", "letranlaw.com"]), "provenance"]) == {
        "secondary"
    }
    seen = table[table["provenance"] == "source"]
    assert set(seen.index.get_level_values("event")) == {
        "bgd_epz_labour_act", "jpn_survey_jetro", "jpn_survey_listed",
    }  # fmt: skip


def test_a_half_year_is_judged_by_its_day() -> None:
    halves = pd.to_datetime(["2013-01-01", "2013-07-01", "2014-01-01"])
    rows = pd.DataFrame({"country": "BGD", "half": [4026, 4027, 4028], "date": halves})
    assert list(_since("since_bgd_rana_plaza_held", rows)) == [0, 1, 1]
    assert list(_since("since_bgd_labour_amendment_2013_in_force", rows)) == [0, 0, 1]


def test_a_placebo_never_came_into_force() -> None:
    placebos = [event for event in EVENTS.values() if event.placebo]
    assert {"bgd_labour_bill_2023", "sim_returned_bill"} == {event.id for event in placebos}
    assert all(dating.step != "in_force" for event in placebos for dating in event.dates)


def test_shares_of_one_name_stand_beside_their_frames() -> None:
    frames = list_frames(load_study(ROOT / "notebooks/studies/policy_events.toml"))
    both = frames.loc["carries out human rights due diligence"]
    assert sorted(both["value"]) == [10, 52]
    assert both["frame"].nunique() == 2


def test_the_registry_and_the_simulation_tell_the_same_days() -> None:
    drawn = ROWS[f"{IN_FORCE}_earliest"]
    assert (_since(f"{IN_FORCE}_earliest") == drawn).all()
    later = _since(f"{IN_FORCE}_latest")
    assert (later <= drawn).all()
    assert later.sum() < drawn.sum()


def test_a_day_after_the_middle_of_a_year_counts_from_the_next() -> None:
    rows = pd.DataFrame({"country": ["BGD", "BGD", "KHM"], "year": [2013, 2014, 2014]})
    assert list(_since("since_bgd_labour_amendment_2013_in_force", rows)) == [0, 1, 0]
    days = rows.assign(date=pd.to_datetime(["2013-07-22", "2013-07-21", "2014-01-01"]))
    assert list(_since("since_bgd_labour_amendment_2013_in_force", days)) == [1, 0, 0]


def test_a_dose_is_what_a_row_gets_of_the_event() -> None:
    rows = pd.DataFrame({"country": "BGD", "year": [2025, 2026], "workers": [300.0, 700.0]})
    assert list(_since("dose_bgd_labour_ordinance_2025_adopted", rows)) == [0, 700]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (IN_FORCE, "_earliest or .*_latest"),
        ("since_sim_returned_bill_in_force", "one of its steps"),
        ("since_bgd_accord_adopted", "no column 'country'"),
        ("dose_sim_reporting_rule_adopted", "an event without a dose"),
    ],
)
def test_an_exposure_that_cannot_be_told_is_refused(name: str, message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        expose(name, ROWS, tuple(EVENTS.values()))


def test_other_names_are_no_events() -> None:
    assert expose("since_nothing_in_force", ROWS, tuple(EVENTS.values())) is None


GOOD = """
id = "x"
side = "host"
country = "LAO"
name.en = "X"

[[dates]]
step = "in_force"
date = "2020-02"
source = "a gazette"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('date = "2020-02"', 'date = "2020-13"', "a day of the calendar"),
        ('source = "a gazette"', 'source = ""', "source"),
        ('country = "LAO"\n', "", "neither places nor a country"),
        ('country = "LAO"', 'country = "LAO"\nplacebo = true', "never came into force"),
        ('source = "a gazette"\n', "", "source"),
        ('id = "x"', 'id = "y"', "the file's own name"),
    ],
)
def test_a_wrong_event_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "data/events/x.toml"
    path.parent.mkdir(parents=True)
    path.write_text(GOOD, "utf-8")
    assert isinstance(load_events(tmp_path)[0], PolicyEvent)
    path.write_text(GOOD.replace(old, new), "utf-8")
    with pytest.raises(StudyError, match=message):
        load_events(tmp_path)


def _att(name: str) -> tuple[float, float, float]:
    rows = ROWS.assign(exposure=_since(name)).set_index(["factory", "year"])
    design = Design(rows["violations"], rows[[]], rows[[]], rows["district"])
    found = estimate_adoption(
        design, cohort=find_cohorts(rows["exposure"]), method="callaway_santanna"
    )
    reach = 2 * found.std_errors[0]
    return found.coefficients[0] - reach, found.coefficients[0], found.coefficients[0] + reach


def test_the_day_in_force_finds_the_declared_effect_and_other_days_less() -> None:
    low, estimate, high = _att(f"{IN_FORCE}_earliest")
    assert low < -0.05 < high < 0
    assert estimate < _att(f"{IN_FORCE}_latest")[1]
    assert estimate < _att("since_sim_reporting_rule_announced")[1]


def test_the_returned_bill_finds_nothing() -> None:
    low, _, high = _att("since_sim_returned_bill_adopted")
    assert low < 0 < high


def test_the_size_cut_off_finds_the_declared_jump() -> None:
    rows = ROWS[ROWS["year"] == 2021]
    cutoff = EVENTS["bgd_labour_ordinance_2025"].cutoffs[0]
    found = estimate_cutoff(rows["members"], rows["workers"], cutoff=cutoff, clusters=None)
    error = found.std_errors[0]
    assert abs(found.coefficients[0] + 0.08) < 2 * error < 0.08
    before = ROWS[ROWS["year"] == 2020]
    none = estimate_cutoff(before["members"], before["workers"], cutoff=cutoff, clusters=None)
    assert abs(none.coefficients[0]) < 2 * none.std_errors[0]
