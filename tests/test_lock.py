"""The plan that is fixed beforehand: locked, amended, held against the study file."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import write_case, write_joined
from evidence.brief.blocks import blocks_of, list_texts
from evidence.brief.exporter import BriefExporter
from evidence.brief.model import compose
from evidence.brief.plan import tell_plan
from evidence.cli import main
from evidence.disclosure import clear, fingerprint
from evidence.errors import BriefError, LanguageError, StudyError
from evidence.neck import Neck
from evidence.run import lock_study, plan_runs
from evidence.study import (
    Lock,
    Study,
    is_planned,
    list_deviations,
    list_slugs,
    load_study,
    lock_path,
    plan_of,
    read_lock,
    write_lock,
)
from evidence.study import lock as room
from samples import edit

DAY = date(2026, 3, 1)
LATER = date(2026, 4, 2)


@pytest.fixture
def study(fresh_project: Path) -> Study:
    return load_study(fresh_project / "notebooks/studies/plants.toml")


def _lock(study: Study) -> Lock:
    lock_study(study, today=DAY)
    lock = read_lock(study)
    assert lock is not None
    return lock


def _edited(study: Study, old: str, new: str) -> Study:
    return load_study(edit(study.path, old, new))


def _places(study: Study) -> list[str]:
    return [deviation.place for deviation in list_deviations(study)]


def test_a_lock_holds_every_key_of_headline_and_placebo_and_no_other(study: Study) -> None:
    lock = _lock(study)
    assert lock.date == "2026-03-01"
    assert lock.after_outcomes is False
    assert lock.plan == plan_of(study)
    keys = {p.rpartition(".")[2] for p in lock.plan if p.startswith("specifications.within.")}
    assert {"estimator", "outcome", "exposure", "effects", "clusters", "controls"} <= keys
    specs = {p.split(".")[1] for p in lock.plan if p.startswith("specifications.")}
    assert specs == {"within", "next_year"}
    claims = {p.split(".")[1] for p in lock.plan if p.startswith("claims.")}
    assert claims == {"grant_after", "grant_same_year", "union_within", "placebo_next_year"}
    assert lock.plan["disclosure.threshold"] == 10
    assert lock.plan["panel.least_periods"] == 1
    assert lock.plan["data.sources"] == ["jobtraining"]
    assert lock.plan["variables.log_scrap.unit"] == "log points"
    assert len(lock.sources["jobtraining"]) == 64


def test_a_lock_is_read_as_written_and_gives_the_same_bytes(study: Study) -> None:
    lock = _lock(study)
    before = lock_path(study).read_bytes()
    assert write_lock(lock) == before
    lock_path(study).unlink()
    assert write_lock(_lock(study)) == before


def test_locking_reads_no_rows(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("rows were read")

    monkeypatch.setattr(pd, "read_csv", refuse)
    monkeypatch.setattr("evidence.sources.tables.read_table", refuse, raising=False)
    monkeypatch.setattr("evidence.sources.snapshot.read_snapshot", refuse)
    _lock(study)


def test_a_source_that_is_not_there_is_said_so(fresh_project: Path) -> None:
    record = fresh_project / "data/sources/jobtraining.toml"
    text = record.read_text("utf-8")
    study = load_study(fresh_project / "notebooks/studies/plants.toml")
    record.write_text(text.replace('kind = "packaged"', 'kind = "file"'), "utf-8")
    assert _lock(study).sources["jobtraining"] == "not there"


def test_a_lock_after_results_says_so(study: Study) -> None:
    write_case(study, 0, "reports/internal/plants/draft/all")
    assert _lock(study).after_outcomes is True
    assert is_planned(study, "union_between")


def test_a_second_lock_is_refused_and_the_first_stays(study: Study) -> None:
    _lock(study)
    before = lock_path(study).read_bytes()
    with pytest.raises(StudyError, match=r"plants\.lock\.toml: a lock of 2026-03-01; .*--amend"):
        lock_study(study, today=LATER)
    assert lock_path(study).read_bytes() == before


def test_there_is_nothing_to_amend_without_a_lock_or_without_a_change(study: Study) -> None:
    with pytest.raises(StudyError, match="no lock to amend"):
        lock_study(study, amend="better")
    _lock(study)
    with pytest.raises(StudyError, match="an amendment without a change"):
        lock_study(study, amend="better")


def test_an_amendment_keeps_the_first_plan_and_says_what_changed(study: Study) -> None:
    first = _lock(study)
    changed = _edited(study, "threshold = 10", "threshold = 12")
    lock_study(changed, amend="the data agreement asks for more", today=LATER)
    lock = read_lock(changed)
    assert lock is not None
    assert lock.plan == first.plan
    (amendment,) = lock.amendments
    assert amendment.date == "2026-04-02"
    assert amendment.was == {"disclosure.threshold": 10}
    assert amendment.now == {"disclosure.threshold": 12}
    assert amendment.before == first.sha256
    assert lock.sha256 != first.sha256
    again = _edited(changed, "threshold = 12", "threshold = 15")
    lock_study(again, amend="and more again", today=LATER)
    told = [(d.locked, d.now, d.reason) for d in list_deviations(again)]
    assert told == [(10, 12, "the data agreement asks for more"), (12, 15, "and more again")]


@pytest.mark.parametrize(
    ("reason", "message"),
    [("in 3 of them", "'3' is typed"), ("training reduces scrap", "'reduces' stands")],
)
def test_a_reason_goes_into_the_brief_and_is_linted_like_it(
    study: Study, reason: str, message: str
) -> None:
    _lock(study)
    changed = _edited(study, "threshold = 10", "threshold = 12")
    with pytest.raises(LanguageError, match=message):
        lock_study(changed, amend=reason)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('date = "2026-03-01"', 'date = "2025-03-01"', "sha256"),
        ("after_outcomes = false", "after_outcomes = true", "sha256"),
        ('"disclosure.threshold" = 10', '"disclosure.threshold" = 5', "sha256"),
    ],
)
def test_a_lock_edited_by_hand_is_refused_by_name(
    study: Study, old: str, new: str, named: str
) -> None:
    _lock(study)
    edit(lock_path(study), old, new)
    with pytest.raises(StudyError, match=rf"plants\.lock\.toml: {named}: .*edited by hand"):
        list_deviations(study)


def test_a_first_plan_rewritten_under_its_amendment_is_refused(study: Study) -> None:
    _lock(study)
    changed = _edited(study, "threshold = 10", "threshold = 12")
    lock_study(changed, amend="more", today=LATER)
    path = lock_path(changed)
    text = path.read_text("utf-8").replace('date = "2026-03-01"', 'date = "2025-03-01"', 1)
    path.write_text(text, "utf-8")
    with pytest.raises(StudyError, match=r"amendments\[1\]\.before: .*edited by hand"):
        read_lock(changed)


def test_a_lock_copied_from_another_study_is_refused(study: Study) -> None:
    _lock(study)
    other = load_study(study.path.with_name("bargaining.toml"))
    shutil.copy(lock_path(study), lock_path(other))
    with pytest.raises(StudyError, match=r"bargaining\.lock\.toml: study: 'plants'"):
        read_lock(other)


def test_an_unknown_key_in_a_lock_is_refused(study: Study) -> None:
    _lock(study)
    edit(lock_path(study), "schema_version = 1", 'schema_version = 1\nsigned = "yes"')
    with pytest.raises(StudyError, match=r"plants\.lock\.toml: signed: an unknown key"):
        read_lock(study)


CHANGES = {
    "controls": ('id = "within"', 'id = "within"\ncontrols = ["log_employ"]', "within.controls"),
    "effects": ('effects = ["entity", "time"]', 'effects = ["entity"]', "within.effects"),
    "estimator": (
        'id = "within"\nnotebook = "plants"\nestimator = "fixed_effects"',
        'id = "within"\nnotebook = "plants"\nestimator = "pooled_ols"',
        "within.estimator",
    ),
    "role": ('id = "within"', 'id = "within"\nrole = "robustness"', "within.role"),
}


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "estimator"])
def test_a_changed_key_of_the_headline_is_a_deviation(study: Study, change: str) -> None:
    _lock(study)
    old, new, place = CHANGES[change]
    changed = _edited(study, old, new)
    assert f"specifications.{place}" in _places(changed)
    assert not is_planned(changed, "grant_after")


def test_a_placebo_that_was_changed_after_the_plan_is_a_deviation(study: Study) -> None:
    _lock(study)
    assert is_planned(study, "placebo_next_year")
    changed = _edited(study, 'controls = ["grant"]\neffects', 'controls = ["log_employ"]\neffects')
    assert "specifications.next_year.controls" in _places(changed)
    assert not is_planned(changed, "placebo_next_year")
    assert is_planned(changed, "grant_after")


def test_nothing_deviates_where_only_words_and_robustness_changed(study: Study) -> None:
    _lock(study)
    worded = _edited(study, "Ministries ask", "Offices ask")
    worded = _edited(worded, 'label.en = "a union"', 'label.en = "a trade union"')
    worded = _edited(worded, 'controls = ["log_employ"]', "controls = []")
    assert list_deviations(worded) == ()


def test_a_request_for_an_exception_is_no_part_of_the_plan_and_never_told(study: Study) -> None:
    assert "disclosure.exceptions" not in plan_of(study)
    assert not any(place.endswith((".label", ".noun")) for place in plan_of(study))
    _lock(study)
    asked = ('threshold = 10\n\n[[disclosure.exceptions]]\noutput = "grant_after"\n'
             'rule = "threshold"\nrequested_by = "an office"\nreason = "few plants"')  # fmt: skip
    assert list_deviations(_edited(study, "threshold = 10", asked)) == ()


def test_an_added_headline_is_one_deviation_and_exploratory(study: Study) -> None:
    _lock(study)
    added = _edited(study, 'id = "between"\nnotebook = "plants"\nestimator = "between"\n'
                    'outcome = "log_scrap"\nexposure = "union"\ncontrols = ["log_employ"]\n'
                    'role = "robustness"', 'id = "between"\nnotebook = "plants"\n'
                    'estimator = "between"\noutcome = "log_scrap"\nexposure = "union"\n'
                    'controls = ["log_employ"]')  # fmt: skip
    assert _places(added) == ["claims.union_between", "specifications.between"]
    assert all(d.locked is None and d.now for d in list_deviations(added))
    assert not is_planned(added, "union_between")
    assert is_planned(added, "grant_after")


def test_a_claim_taken_out_is_a_deviation(study: Study) -> None:
    _lock(study)
    out = '[[claims]]\nid = "grant_same_year"\nspecification = "within"\nexposure = "grant"\nsdg = ["8.2"]\n'
    changed = _edited(study, out, "")
    (deviation,) = list_deviations(changed)
    assert deviation.place == "claims.grant_same_year"
    assert deviation.now is None


def test_a_changed_rule_a_source_and_an_entry_rule_are_deviations(study: Study) -> None:
    _lock(study)
    changed = _edited(study, "threshold = 10", "threshold = 12")
    changed = _edited(changed, "[disclosure]", "[panel]\nleast_periods = 2\n\n[disclosure]")
    assert _places(changed) == ["disclosure.threshold", "panel.least_periods"]


def test_an_amendment_before_results_counts_as_planned_and_one_after_them_does_not(
    study: Study,
) -> None:
    _lock(study)
    new = 'effects = ["entity"]'
    changed = _edited(study, 'effects = ["entity", "time"]', new)
    assert not is_planned(changed, "grant_after")
    early = lock_path(changed).read_bytes()
    lock_study(changed, amend="the calendar is not needed", today=LATER)
    assert is_planned(changed, "grant_after")
    assert _places(changed) == ["specifications.within.effects"]
    lock_path(changed).write_bytes(early)
    write_case(changed, 0, "reports/internal/plants/draft/all")
    lock_study(changed, amend="the calendar is not needed", today=LATER)
    assert not is_planned(changed, "grant_after")
    assert list_deviations(changed)[0].after_outcomes


def test_a_key_that_the_lock_is_too_old_to_know_stands_at_its_default(study: Study) -> None:
    lock = _lock(study)
    plan = {place: value for place, value in lock.plan.items() if not place.endswith(".collapse")}
    assert len(plan) == len(lock.plan) - 2
    old = room._seal(replace(lock, plan=plan))
    lock_path(study).write_bytes(write_lock(old))
    assert list_deviations(study) == ()


def test_a_lock_is_no_study_file(study: Study) -> None:
    known = list_slugs(study.root)
    _lock(study)
    assert list_slugs(study.root) == known
    with pytest.raises(StudyError, match=rf"expected one of {', '.join(known)}\."):
        load_study(study.path.with_name("plant.toml"))


def test_estimates_do_not_depend_on_the_lock_but_a_clearance_does(
    study: Study, plants_neck: Neck
) -> None:
    keys = [job.key for job in plan_runs(study)]
    cleared = clear(plants_neck, study)
    _lock(study)
    assert [job.key for job in plan_runs(study)] == keys
    assert fingerprint(plants_neck, study) != cleared.sha256
    with pytest.raises(BriefError, match="differ from those cleared"):
        compose(cleared, "en")


def test_a_brief_without_a_lock_says_so(study: Study, plants_neck: Neck) -> None:
    model = compose(clear(plants_neck, study), "en")
    assert list_texts(model, "plan") == ["No plan of analysis was fixed beforehand."]
    assert "planned beforehand)" not in str(blocks_of(model, "evidence"))


def test_a_brief_says_that_nothing_deviates_and_labels_what_was_not_planned(
    study: Study, plants_neck: Neck
) -> None:
    lock = _lock(study)
    model = compose(clear(plants_neck, study), "en")
    assert list_texts(model, "plan") == [
        "The plan of analysis was fixed on 1 March 2026, before results existed.",
        "Nothing deviates from it.",
    ]
    first = [row[0]["text"] for row in blocks_of(model, "evidence")[1]["body"]]
    claims = [row["claim"] for row in plants_neck.exhibits[1].rows]
    marked = {c for c, text in zip(claims, first, strict=True) if "(not planned" in text}
    assert marked == {"union_between", "union_random", "union_sales"}
    said = [text.endswith("(Not planned beforehand.)") for text in list_texts(model, "messages")]
    assert said == [False, False, False, True]
    assert not model["title"].startswith("Not planned")
    assert any(lock.sha256[:12] in line for line in list_texts(model, "source"))


def test_a_deviation_is_told_with_labels_and_values_from_the_file(
    study: Study, plants_neck: Neck
) -> None:
    _lock(study)
    changed = _edited(study, "threshold = 10", "threshold = 12")
    changed = _edited(changed, 'role = "robustness"', 'role = "headline"')
    plan = list_texts(compose(clear(plants_neck, changed), "en"), "plan")
    assert plan[1:] == [
        "Added: the statement on a union and the scrap rate.",
        "The least number of contributors was planned as 10, and is now 12.",
        "Added: the comparison of the scrap rate with a union.",
    ]
    lock_study(changed, amend="the agreement was signed anew", today=LATER)
    plan = list_texts(compose(clear(plants_neck, changed), "en"), "plan")
    assert plan[1] == (
        "Amended on 2 April 2026, before results existed. "
        "Reason given: the agreement was signed anew"
    )
    assert len(plan) == 5


def test_a_brief_whose_headline_was_changed_says_so_in_its_title(fresh_project: Path) -> None:
    study = load_study(fresh_project / "notebooks/studies/plants.toml")
    _lock(study)
    changed = _edited(study, 'id = "within"', 'id = "within"\ncontrols = ["log_employ"]')
    neck = write_joined(changed, "reports/internal/plants/cases/all/plants")
    page, made = BriefExporter().from_cleared(clear(neck, changed), "en")
    assert made["brief"]["title"].startswith("Not planned beforehand: ")
    line = ("The comparison of the scrap rate with a union, a training grant, a training grant the "
            "year before: what is held equal was planned as nothing, and is now employees (log).")  # fmt: skip
    assert line in page
    assert ">Changes since the plan was fixed</h2>" in page


def test_places_side_by_side_label_the_column_that_was_not_planned(
    fresh_project: Path, chains_neck: Neck
) -> None:
    study = load_study(fresh_project / "notebooks/studies/value_chains.toml")
    edit(
        study.path, 'id = "productivity_within"', 'id = "productivity_within"\nrole = "robustness"'
    )
    planned = load_study(study.path)
    lock_study(planned, today=DAY)
    edit(study.path, '\nrole = "robustness"', "")
    model = compose(clear(chains_neck, load_study(study.path)), "en")
    marked = [
        "(not planned beforehand)" in head for head in blocks_of(model, "evidence")[1]["head"]
    ]
    assert marked == [False, False, False, False, False, True, False]


def _call(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.output


def test_the_command_locks_amends_and_check_tells_deviations(study: Study) -> None:
    code, text = _call("lock", study.path)
    assert (code, text) == (
        0,
        "plants: notebooks/studies/plants.lock.toml, fixed before results existed\n",
    )
    code, text = _call("lock", study.path)
    assert code == 1
    assert "error: plants.lock.toml: a lock of" in text
    _edited(study, "threshold = 10", "threshold = 12")
    code, text = _call("check", study.path)
    assert code == 0
    assert "plan: The least number of contributors was planned as 10, and is now 12." in text
    code, text = _call("lock", study.path, "--amend", "signed anew")
    assert (code, "amended before results existed" in text) == (0, True)
    edit(lock_path(study), "= 12", "= 11")
    for command in ("check", "run", "brief", "lock"):
        code, text = _call(command, study.path)
        assert code == 1
        assert "plants.lock.toml: sha256" in text


def test_a_plan_may_hold_any_text(study: Study) -> None:
    lock = _lock(study)
    odd = {"claims.c.x": 'a "quoted" \\ line\nbreak\x7f \u2028 é', "claims.c.y": [{"a b": True}]}
    made = room._seal(replace(lock, plan=lock.plan | odd))
    lock_path(study).write_bytes(write_lock(made))
    assert read_lock(study) == made


def test_the_order_of_effects_and_controls_is_no_deviation(study: Study) -> None:
    _lock(study)
    assert _places(_edited(study, '["entity", "time"]', '["time", "entity"]')) == []


def test_a_claim_on_a_variable_that_is_measured_otherwise_was_not_planned(study: Study) -> None:
    _lock(study)
    unit = 'unit = "indicator"\nlabel.en = "a union"'
    changed = _edited(study, unit, unit.replace("indicator", "share"))
    assert _places(changed) == ["variables.union.unit"]
    assert not is_planned(changed, "union_within")
    assert is_planned(changed, "union_sales") is is_planned(study, "union_sales")


def test_a_pack_that_changed_since_the_plan_is_told(study: Study) -> None:
    _lock(study)
    pack = next((study.root / "data/questionnaires").glob("*.toml"))
    pack.write_text(pack.read_text("utf-8") + "\n# another word\n", "utf-8")
    (line,) = tell_plan(study, "en")[1:]
    assert line.endswith("of a country, sector, law or questionnaire has changed.")


def test_a_source_that_changed_or_came_since_the_plan_is_told(study: Study) -> None:
    record = study.root / "data/sources/jobtraining.toml"
    text = record.read_text("utf-8")
    _lock(study)
    assert tell_plan(study, "en")[1:] == ["Nothing deviates from it."]
    record.write_text(text.replace('name = "grant"', 'name = "grant"\nraw = "union"'), "utf-8")
    (line,) = tell_plan(study, "en")[1:]
    assert line.startswith("Since the plan was fixed, the data source jobtraining has changed")
    lock_path(study).unlink()
    record.write_text(text.replace('kind = "packaged"', 'kind = "file"'), "utf-8")
    _lock(study)
    record.write_text(text, "utf-8")
    (line,) = tell_plan(study, "en")[1:]
    assert line == "The data source jobtraining came after the plan was fixed."
