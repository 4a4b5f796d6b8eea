"""Recommendations: read strictly, linted, shown with their triggers, reopened when due."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evidence.brief import list_due
from evidence.brief.blocks import blocks_of, list_texts
from evidence.brief.checks import check_text
from evidence.brief.exporter import BriefExporter
from evidence.brief.model import compose
from evidence.cli import main
from evidence.disclosure import clear, fingerprint
from evidence.errors import LanguageError, StudyError
from evidence.language import check_advice
from evidence.neck import Neck
from evidence.study import (
    Advice,
    Study,
    advice_path,
    load_study,
    must_reopen,
    parse_condition,
    read_advice,
)
from samples import edit

FILE = """schema_version = 1

[[recommendations]]
id = "ask_more_plants"
claim = "grant_after"
audience = "government"
text.en = "Ask {{ grant_after.n_entities }} plants again before the programme grows."
reviewed_by = "the labour ministry's evaluation office"
reopen_when = ["direction changes", "estimate leaves -60 to 1.5", "date 2028-01-01"]
"""
ENTRY: dict[str, Any] = {
    "kind": "finding",
    "claim": "grant_after",
    "direction": "decrease",
    "estimate": -3.0,
    "conf_low": -5.0,
    "conf_high": -1.0,
    "nobs": 162,
    "n_entities": 54,
    "n_periods": 3,
    "n_clusters": 54,
    "n_carrying": None,
    "unit": "percent",
    "grade": {"label": "low", "level": 2, "reasons": []},
}


@pytest.fixture
def study(fresh_project: Path) -> Study:
    path = fresh_project / "notebooks/studies/plants.toml"
    path.with_name("plants.advice.toml").write_text(FILE, "utf-8")
    return load_study(path)


def _advice(*conditions: str) -> Advice:
    parsed = tuple(parse_condition(text, "here") for text in conditions)
    return Advice("a", "grant_after", "government", {"en": "x"}, "an office", parsed)


def test_a_file_of_advice_is_read_with_its_conditions_parsed(study: Study) -> None:
    (advice,) = read_advice(study)
    assert (advice.id, advice.claim, advice.audience) == (
        "ask_more_plants",
        "grant_after",
        "government",
    )
    kinds = [(c.kind, c.field, c.low, c.high, c.day) for c in advice.reopen_when]
    assert kinds == [
        ("direction", "", None, None, None),
        ("leaves", "estimate", -60.0, 1.5, None),
        ("date", "", None, None, date(2028, 1, 1)),
    ]


def test_no_file_is_no_advice(plants: Study) -> None:
    assert read_advice(plants) == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reviewed_by =", "reviewer =", r"recommendations\[1\]\.reviewer: an unknown key"),
        ('claim = "grant_after"', 'claim = "grant_aftr"', "did you mean 'grant_after'"),
        ('"government"', '"parliament"', r"recommendations\[1\]\.audience: 'parliament'"),
        ('"direction changes"', '"direction flips"', r"reopen_when: 'direction flips'.*expected"),
        ("-60 to 1.5", "60 to 1.5", "reopen_when: 'estimate leaves 60 to 1.5'"),
        ("2028-01-01", "2028-02-30", "no day of the calendar"),
        ('reopen_when = ["direction changes", "estimate leaves -60 to 1.5", "date 2028-01-01"]',
         "reopen_when = []", "reopen_when: nothing"),
        ('reopen_when = ["direction changes", "estimate leaves -60 to 1.5", "date 2028-01-01"]',
         "", "reopen_when: nothing; expected this key"),
        ("reviewed_by = \"the labour ministry's evaluation office\"", 'reviewed_by = ""',
         "reviewed_by"),
        ("text.en =", "text =", r"recommendations\[1\]\.text"),
        ("schema_version = 1", "schema_version = 2", "schema_version"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_named(study: Study, old: str, new: str, message: str) -> None:
    edit(advice_path(study), old, new)
    with pytest.raises(StudyError, match=rf"plants\.advice\.toml: .*{message}"):
        read_advice(study)


def test_each_recommendation_has_its_own_id(study: Study) -> None:
    path = advice_path(study)
    path.write_text(FILE + FILE.replace("schema_version = 1\n", ""), "utf-8")
    with pytest.raises(StudyError, match="'ask_more_plants' more than once"):
        read_advice(study)


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("grade falls below low", {"grade": {"label": "very low"}}, "very low"),
    ("grade falls below low", {"grade": {"label": "cannot tell"}}, "cannot tell"),
    ("grade falls below low", {"grade": {"label": "high"}}, ""),
    ("grade falls below low", {}, ""),
    ("estimate leaves -5 to -1", {"estimate": -0.5}, "-0.5"),
    ("estimate leaves -5 to -1", {"estimate": -5.5}, "-5.5"),
    ("estimate leaves -5 to -1", {"estimate": -5.0}, ""),
    ("estimate leaves -5 to -1", {"estimate": None, "direction": "refused"}, "refused"),
    ("conf_low below 0", {}, "-5"),
    ("conf_low below -6", {}, ""),
    ("conf_high above 0", {}, ""),
    ("conf_high rises above 0", {"conf_high": 0.2}, "0.2"),
    ("n_entities falls below 55", {}, "54"),
    ("n_entities falls below 54", {}, ""),
    ("n_carrying below 10", {}, "decrease"),
    ("date 2026-05-01", {}, "2026-05-01"),
    ("date 2026-05-02", {}, ""),
]


@pytest.mark.parametrize(("condition", "change", "seen"), CASES)
def test_a_condition_is_met_or_not(condition: str, change: dict[str, Any], seen: str) -> None:
    reason = must_reopen(_advice(condition), {**ENTRY, **change}, None, date(2026, 5, 1))
    assert reason == (f"{condition} ({seen})" if seen else "")


def test_a_direction_changes_only_against_an_earlier_run() -> None:
    advice = _advice("direction changes")
    assert must_reopen(advice, ENTRY) == ""
    assert must_reopen(advice, ENTRY, ENTRY) == ""
    flipped = {**ENTRY, "direction": "increase"}
    assert must_reopen(advice, flipped, ENTRY) == "direction changes (decrease → increase)"


def test_a_finding_that_is_gone_reopens_and_one_that_never_was_does_not() -> None:
    advice = _advice("direction changes")
    assert must_reopen(advice, None, ENTRY) == "lost"
    assert must_reopen(advice, None, None) == ""


def test_a_comparison_has_no_grade_and_is_not_judged_by_it() -> None:
    entry = {key: value for key, value in ENTRY.items() if key != "grade"}
    assert must_reopen(_advice("grade falls below high"), entry) == ""
    assert must_reopen(_advice("grade falls below high"), ENTRY) != ""


def test_dates_wait_for_a_day_to_be_given() -> None:
    assert must_reopen(_advice("date 2001-01-01"), ENTRY) == ""


def test_the_first_condition_that_is_met_is_told() -> None:
    advice = _advice("n_entities below 10", "conf_low below 0", "nobs below 1000")
    assert must_reopen(advice, ENTRY) == "conf_low below 0 (-5)"


def test_a_brief_shows_recommendation_review_and_triggers(study: Study, plants_neck: Neck) -> None:
    page, made = BriefExporter().from_cleared(clear(plants_neck, study), "en")
    (item,) = blocks_of(made["brief"], "advice")[0]["items"]
    assert item["text"] == "Ask 54 plants again before the programme grows."
    assert item["notes"][1] == "Reviewed by: the labour ministry's evaluation office."
    assert item["notes"][0].replace("\u00a0", " ") == (
        "Reopen when: the direction of the finding changes; the estimate leaves the range of "
        "\u221260 to 1.5 per cent; 1 January 2028 has come."
    )
    assert item["warning"] == ""
    assert ">What you can do</h2>" in page
    assert "Ask 54 plants again" in page


def test_a_condition_that_already_holds_is_said_in_the_brief(
    study: Study, plants_neck: Neck
) -> None:
    edit(advice_path(study), "estimate leaves -60 to 1.5", "n_entities falls below 300")
    (item,) = blocks_of(compose(clear(plants_neck, study), "en"), "advice")[0]["items"]
    assert item["warning"].startswith("The findings above already meet a condition")
    assert "the number of units falls below 300" in item["notes"][0]


def test_a_missing_language_drops_the_text_with_a_visible_note(
    study: Study, plants_neck: Neck
) -> None:
    edit(advice_path(study), "text.en", "text.fr")
    page, made = BriefExporter().from_cleared(clear(plants_neck, study), "en")
    assert list_texts(made["brief"], "advice") == [
        "Some recommendations of this study are not available in this language and are left out here."
    ]
    assert "are not available in this language" in page
    assert "Ask 54 plants" not in page


def test_a_study_without_advice_has_no_such_section(plants: Study, plants_neck: Neck) -> None:
    page, _ = BriefExporter().from_cleared(clear(plants_neck, plants), "en")
    assert ">What you can do</h2>" not in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Ask {{ grant_after.n_entities }} plants again", "Ask 12 plants again", "'1' is typed"),
        ("before the programme grows", "because grants reduce scrap", "'reduce' stands"),
        ("before the programme grows", "as grants have no effect", "'no effect' stands"),
        ("grant_after.n_entities", "grant_after.number", r"\{\{ grant_after\.number \}\}"),
        ("evaluation office", "room 4", "reviewed_by: .*'4' is typed"),
    ],
)
def test_a_recommendation_is_linted(study: Study, old: str, new: str, message: str) -> None:
    edit(advice_path(study), old, new)
    with pytest.raises(LanguageError, match=rf"plants\.advice\.toml: ask_more_plants.*{message}"):
        check_text(study)


def test_a_clearance_binds_the_advice(study: Study, plants_neck: Neck) -> None:
    before = fingerprint(plants_neck, study)
    edit(advice_path(study), "Ask {{", "Please ask {{")
    assert fingerprint(plants_neck, study) != before


def test_due_recommendations_are_listed_by_day(study: Study, plants_neck: Neck) -> None:
    assert list_due(study, plants_neck.findings, date(2027, 12, 31)) == []
    due = list_due(study, plants_neck.findings, date(2028, 1, 1))
    assert due == ["ask_more_plants: date 2028-01-01 (2028-01-01)"]


def test_check_refuses_a_wrong_file_of_advice(study: Study) -> None:
    edit(advice_path(study), "reviewed_by =", "reviewer =")
    result = CliRunner().invoke(main, ["check", str(study.path)])
    assert result.exit_code == 1
    assert "plants.advice.toml: recommendations[1].reviewer" in result.output


@pytest.mark.parametrize(
    ("text", "opener"),
    [
        ("Ministries should ask again.", "ministries"),
        ("\u201cThe programme may grow.", "the"),
        ("There is more to ask.", "there"),
        ("{{ grant_after.n_entities }} plants wait.", "{{ grant_after.n_entities }}"),
        ("Before the programme grows, ask again.", "before"),
    ],
)
def test_a_recommendation_starts_with_a_verb(study: Study, text: str, opener: str) -> None:
    edit(advice_path(study), FILE[FILE.index("Ask {{") : FILE.index("grows.") + 6], text)
    message = rf"plants\.advice\.toml: ask_more_plants, text\.en: .*'{re.escape(opener)}'"
    with pytest.raises(LanguageError, match=message):
        check_text(study)


@pytest.mark.parametrize(
    ("language", "good", "bad"),
    [
        ("en", "Theorise less.", "The less."),
        ("ja", "\u82e6\u60c5\u306e\u7a93\u53e3\u3092\u958b\u304f\u3002", "\u7a93\u53e3\u306e\u7dad\u6301\u3002"),
        ("vi", "T\u1eeb ch\u1ed1i h\u1ee3p \u0111\u1ed3ng.", "C\u00e1c b\u1ed9 n\u00ean h\u1ecfi l\u1ea1i."),
        ("km", "\u179c\u17b6\u179f\u17cb\u179c\u17c2\u1784", "\u179f\u17a0\u1787\u17b8\u1796\u1782\u17bd\u179a\u179f\u17bd\u179a"),
        ("bn", "\u0995\u09ae\u09bf\u099f\u09bf \u09b0\u09be\u0996\u09c1\u09a8\u0964", "\u0995\u09ae\u09bf\u099f\u09bf\u0964"),
    ],
)  # fmt: skip
def test_each_language_knows_what_is_no_request(language: str, good: str, bad: str) -> None:
    check_advice(language, good, "here")
    with pytest.raises(LanguageError, match=rf"here, text\.{language}"):
        check_advice(language, bad, "here")


def test_readers_find_their_own_advice_first(study: Study, plants_neck: Neck) -> None:
    other = FILE.replace("schema_version = 1\n", "").replace("ask_more_plants", "ask_the_members")
    other = other.replace('"government"', '"workers"').replace("Ask {{", "Tell {{")
    advice_path(study).write_text(FILE + other, "utf-8")
    cleared = clear(plants_neck, study)
    whole = blocks_of(compose(cleared, "en"), "advice")
    assert [block["kind"] for block in whole] == ["list", "text", "list"]
    assert (whole[1]["text"], whole[1]["tone"]) == ("Unions and workers", "heading")
    assert whole[0]["items"][0]["rests"] == ["grant_after"]
    assert whole[0]["items"][0]["notes"][2].startswith("Rests on the finding: A training grant")
    (own,) = blocks_of(compose(cleared, "en", "workers"), "advice")
    assert own["items"][0]["text"].startswith("Tell 54 plants")
    (none,) = blocks_of(compose(cleared, "en", "buyers"), "advice")
    assert none["tone"] == "note"
    assert "is addressed to the reader of this version" in none["text"]
    technical = blocks_of(compose(cleared, "en", "technical"), "advice")
    assert [b["text"] for b in technical if b["kind"] == "text"] == [
        "Ministries",
        "Unions and workers",
    ]
