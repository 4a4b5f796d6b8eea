"""Codes change with version, mode and country; what they ask stays the same thing."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pandas as pd
import pytest

from assessments import (
    EXPOSED,
    KEYS,
    OUTCOME,
    append,
    ask,
    measure,
    study_of,
    write_tables,
)
from evidence.errors import MeasureError
from evidence.measures import Answers, map_answers, score_compliance
from evidence.packs import (
    Asked,
    Cluster,
    Law,
    LawVersion,
    Point,
    Question,
    Questionnaire,
    Rule,
    Version,
)
from samples import declare, make_project

NAN = float("nan")
CLUSTERS = (
    Cluster("talk", {"en": "Talk"}, "core labour standards"),
    Cluster("pay", {"en": "Pay"}, "working conditions", ("Compensation & Benefits",)),
)
POINTS = (
    Point("dialogue", "talk", {"en": "Dialogue"}, "assumed"),
    Point("wages", "pay", {"en": "Wages"}, "assumed", ("Minimum Wage", "Wage_Info & Use")),
)
VERSIONS = (
    Version("old", "2015-01-01"),
    Version("video", "2020-04-01", mode="virtual"),
    Version("old", "2021-01-01"),
    Version("new", "2022-01-01", countries=("KHM",)),
)
QUESTIONS = (
    Question("minutes", "dialogue", asked=(Asked("A1", versions=("old", "video")), Asked("N9"))),
    Question("quorum", "dialogue", asked=(Asked("A2", versions=("old",)),)),
    Question("quorum_workers", "dialogue", asked=(Asked("A2a"),)),
    Question("quorum_managers", "dialogue", asked=(Asked("A2b"),)),
    Question("paid_on_time", "wages", asked=(Asked("7", countries=("KHM",)),)),
    Question("paid_in_full", "wages", asked=(Asked("7", countries=("VNM",)), Asked("8"))),
)
PACK = Questionnaire("tiny", "Tiny", "made up", CLUSTERS, POINTS, VERSIONS, QUESTIONS)
NAMES = "factory year country question finding"


def _map(frame: pd.DataFrame, pack: Questionnaire | None = PACK, *laws: Law) -> Answers:
    return map_answers(frame, pack, {law.country: law for law in laws}, KEYS)


def _items(answers: Answers) -> list[str]:
    return answers.data["item"].tolist()


def test_a_renamed_code_is_the_same_item() -> None:
    told = _map(ask(NAMES, ("a", 2019, "KHM", "A1", 0), ("a", 2022, "KHM", "N9", 1)))
    assert _items(told) == ["minutes", "minutes"]
    assert told.data["version"].tolist() == ["old", "new"]
    assert told.data["common"].tolist() == [True, True]
    assert told.unknown == ()


def test_a_code_that_a_version_dropped_is_unknown_in_it() -> None:
    told = _map(ask(NAMES, ("a", 2022, "KHM", "A1", 1)))
    assert told.unknown == ("A1",)
    assert _items(told) == ["A1"]


def test_one_code_may_stand_for_two_things_in_two_countries() -> None:
    told = _map(ask(NAMES, ("a", 2019, "KHM", "7", 0), ("b", 2019, "VNM", "7", 1)))
    assert _items(told) == ["paid_on_time", "paid_in_full"]


def test_a_split_question_is_common_in_none_of_its_parts() -> None:
    told = _map(
        ask(
            NAMES,
            ("a", 2019, "KHM", "A2", 1),
            ("a", 2019, "KHM", "A1", 0),
            ("a", 2022, "KHM", "A2a", 1),
            ("a", 2022, "KHM", "A2b", 1),
            ("a", 2022, "KHM", "N9", 0),
        )
    )
    assert _items(told) == ["quorum", "minutes", "quorum_workers", "quorum_managers", "minutes"]
    assert told.data["common"].tolist() == [False, True, False, False, True]
    scored = score_compliance(
        told.data, KEYS, leave_out=[], outcomes=("noncompliance", "noncompliance_common")
    )
    assert scored["noncompliance"].tolist() == [1 / 2, 2 / 3]
    assert scored["noncompliance_common"].tolist() == [0.0, 0.0]


def test_a_virtual_check_asks_a_subset_and_the_rest_is_not_common() -> None:
    days = ask(
        "factory date country question finding",
        ("a", "2020-03-31", "KHM", "A1", 1),
        ("a", "2020-03-31", "KHM", "8", 1),
        ("b", "2020-04-01", "KHM", "8", 0),
        ("a", "2021-02-01", "KHM", "A1", 1),
        ("a", "2021-02-01", "KHM", "8", 0),
    )
    told = _map(days)
    assert told.data["version"].tolist() == ["old", "old", "video", "old", "old"]
    assert told.data["mode"].tolist() == ["on_site", "on_site", "virtual", "on_site", "on_site"]
    assert told.data["common"].tolist() == [False, True, True, False, True]
    assert told.data["year"].tolist() == [2020, 2020, 2020, 2021, 2021]


def test_a_version_begins_on_its_day_and_in_its_countries() -> None:
    days = ask(
        "factory date country question finding",
        ("a", "2014-12-31", "KHM", "8", 0),
        ("b", "2015-01-01", "KHM", "8", 0),
        ("c", "2021-12-31", "KHM", "8", 0),
        ("d", "2022-01-01", "KHM", "8", 0),
        ("e", "2022-01-01", "VNM", "8", 0),
    )
    assert _map(days).data["version"].tolist() == ["", "old", "old", "new", "old"]


def test_versions_and_modes_of_the_file_come_first_and_gaps_follow_the_day() -> None:
    frame = ask(
        "factory year country question finding version mode",
        ("a", 2022, "KHM", "A1", 0, "old", "self"),
        ("b", 2022, "KHM", "N9", 0, None, None),
    )
    told = _map(frame)
    assert told.data["version"].tolist() == ["old", "new"]
    assert told.data["mode"].tolist() == ["self", "on_site"]


def test_items_are_common_within_each_country() -> None:
    told = _map(
        ask(
            NAMES,
            ("a", 2019, "KHM", "8", 0),
            ("a", 2022, "KHM", "8", 0),
            ("b", 2019, "VNM", "8", 0),
            ("b", 2019, "VNM", "A1", 0),
            ("a", 2019, "KHM", "A1", 0),
        )
    )
    assert told.data["common"].tolist() == [True, True, True, True, False]


def test_an_item_that_nobody_answered_in_a_version_is_not_common() -> None:
    told = _map(
        ask(
            NAMES,
            ("a", 2019, "KHM", "8", 0),
            ("a", 2022, "KHM", "8", NAN),
            ("a", 2019, "KHM", "A1", 0),
            ("a", 2022, "KHM", "N9", 0),
        )
    )
    assert told.data["common"].tolist() == [False, False, True, True]


def test_without_versions_an_item_is_common_if_asked_in_every_period() -> None:
    frame = ask("factory year question finding", ("a", 1, "p", 0), ("a", 2, "p", 0),
                ("a", 2, "q", 0))  # fmt: skip
    assert _map(frame, None).data["common"].tolist() == [True, True, False]


def test_two_codes_of_one_item_in_an_assessment_are_refused() -> None:
    frame = ask(NAMES, ("a", 2019, "KHM", "A1", 0), ("a", 2019, "KHM", "N9", 1))
    with pytest.raises(MeasureError, match=r"item 'minutes'\) answered more than once for one fac"):
        _map(frame)


def test_unknown_codes_are_listed_and_keep_apart_by_their_points() -> None:
    frame = ask(
        "factory year country question finding point cluster",
        ("a", 2019, "KHM", "Z1", 0, "minimum wage", "compensation and benefits"),
        ("b", 2019, "VNM", "Z1", 0, "Dialogue", "?"),
        ("c", 2019, "VNM", "Z1", 0, "Gardens", "Outdoors"),
        ("c", 2019, "VNM", "wages.3", 0, "wage info and use", None),
    )
    told = _map(frame)
    assert told.unknown == ("Z1", "wages.3")
    assert _items(told) == ["wages.Z1", "dialogue.Z1", "Z1", "wages.3"]
    assert told.data["point"].tolist() == ["wages", "dialogue", "Gardens", "wages"]
    assert told.data["cluster"].tolist() == ["pay", "talk", "Outdoors", "pay"]
    assert told.data["question"].tolist() == ["Z1", "Z1", "Z1", "wages.3"]


def test_without_a_questionnaire_every_code_is_an_item_of_its_own() -> None:
    frame = ask("factory year question finding", ("a", 2019, "7", 0), ("b", 2019, "8", 1))
    told = _map(frame, None)
    assert (_items(told), told.unknown) == (["7", "8"], ())
    assert told.data["finding_fixed"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("kind", ["int64", "float64"])
def test_codes_that_a_file_holds_as_numbers_are_known(kind: str) -> None:
    frame = ask(NAMES, ("a", 2019, "KHM", 7, 0), ("b", 2019, "VNM", 1234567, 1))
    told = _map(frame.astype({"question": kind}))
    assert _items(told) == ["paid_on_time", "1234567"]
    assert told.unknown == ("1234567",)


def test_text_and_arrow_columns_map_alike() -> None:
    frame = ask(NAMES, ("a", 2019, "KHM", "A1", 0), ("b", 2022, "KHM", "N9", 1))
    for kind in ("object", "str", "string[pyarrow]", "category"):
        other = _map(frame.astype({"question": kind, "country": kind, "factory": kind}))
        assert _items(other) == ["minutes", "minutes"]


def test_days_as_text_are_refused() -> None:
    frame = ask(NAMES, ("a", 2019, "KHM", "A1", 0)).assign(date="2019-01-01")
    with pytest.raises(MeasureError, match="text in the column 'date'; expected days"):
        _map(frame)


# Laws.


def _rule(*versions: LawVersion, questions: tuple[str, ...] = ("minutes",)) -> Law:
    return Law("KHM", (Rule("r", questions, "a year", versions),))


def _judged(frame: pd.DataFrame, *laws: Law) -> list[str]:
    """Spell findings on the fixed yardstick: 0, 1, or - where there is none."""
    column = _map(frame, PACK, *laws).data["finding_fixed"]
    return ["-" if pd.isna(value) else f"{value:g}" for value in column]


ANSWERED = "factory date country question finding answer"
LESS = _rule(LawVersion("2015-01-01", at_least=4), LawVersion("2021-06-15", at_least=1))


def test_answers_are_judged_by_the_law_of_the_first_day() -> None:
    frame = ask(
        ANSWERED,
        ("a", "2021-06-14", "KHM", "A1", 1, 2),
        ("b", "2021-06-15", "KHM", "A1", 0, 2),
        ("c", "2021-12-01", "KHM", "A1", 0, 4),
        ("d", "2021-12-01", "KHM", "A1", NAN, 0),
        ("e", "2021-12-01", "KHM", "8", 1, NAN),
    )
    told = _map(frame, PACK, LESS)
    assert _judged(frame, LESS) == ["1", "1", "0", "-", "1"]
    assert (told.rejudged, told.unjudged, told.yardstick) == (("minutes",), (), "2021-06-14")


def test_data_under_one_law_are_left_as_they_were_recorded() -> None:
    frame = ask(ANSWERED, ("a", "2021-07-01", "KHM", "A1", 1, 4), ("a", "2022-07-01", "KHM", "N9", 0, 0))  # fmt: skip
    told = _map(frame, PACK, LESS)
    assert _judged(frame, LESS) == ["1", "0"]
    assert (told.rejudged, told.yardstick) == ((), "")


def test_a_year_stands_for_its_middle() -> None:
    frame = ask(
        "factory year country question finding answer",
        ("a", 2020, "KHM", "A1", 1, 2),
        ("a", 2021, "KHM", "A1", 0, 2),
    )
    july = _rule(LawVersion("2015-01-01", at_least=4), LawVersion("2021-07-02", at_least=1))
    assert _map(frame, PACK, LESS).rejudged == ("minutes",)
    assert _map(frame, PACK, july).rejudged == ()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [((2, NAN), ["-", "-", "1"]), (("two", 2), ["-", "-", "1"]), ((2, 2), ["1", "1", "1"])],
    ids=["one missing", "one in words", "both numbers"],
)
def test_an_item_is_judged_again_in_all_its_answers_or_in_none(
    answers: tuple[object, object], expected: list[str]
) -> None:
    frame = ask(
        ANSWERED,
        ("a", "2020-01-01", "KHM", "A1", 1, answers[0]),
        ("a", "2022-01-01", "KHM", "N9", 0, answers[1]),
        ("a", "2022-01-01", "KHM", "8", 1, None),
    )
    assert _judged(frame, LESS) == expected


def test_one_item_of_a_rule_may_be_judged_and_another_not() -> None:
    law = _rule(*LESS.rules[0].versions, questions=("minutes", "paid_in_full"))
    frame = ask(
        ANSWERED,
        ("a", "2020-01-01", "KHM", "A1", 1, 2),
        ("a", "2022-01-01", "KHM", "N9", 0, 2),
        ("a", "2020-01-01", "KHM", "8", 1, NAN),
        ("a", "2022-01-01", "KHM", "8", 0, 2),
    )
    told = _map(frame, PACK, law)
    assert (told.rejudged, told.unjudged) == (("minutes",), ("paid_in_full",))
    assert _judged(frame, law) == ["1", "1", "-", "-"]


def test_two_rules_on_a_question_are_both_kept() -> None:
    more = Rule("most", ("minutes",), "a year", (LawVersion("2015-01-01", at_most=6),))
    law = Law("KHM", (*LESS.rules, more))
    frame = ask(
        ANSWERED,
        ("a", "2020-01-01", "KHM", "A1", 0, 5),
        ("b", "2022-01-01", "KHM", "N9", 0, 3),
        ("c", "2022-01-01", "KHM", "N9", 1, 7),
    )
    assert _judged(frame, law) == ["0", "1", "1"]


def test_a_version_that_changes_nothing_but_its_name_is_no_change() -> None:
    law = _rule(
        LawVersion("2015-01-01", at_least=4), LawVersion("2021-01-01", at_least=4, name="n")
    )
    frame = ask(ANSWERED, ("a", "2020-01-01", "KHM", "A1", 1, NAN), ("a", "2022-01-01", "KHM", "N9", 0, NAN))  # fmt: skip
    assert _judged(frame, law) == ["1", "0"]


def test_a_law_that_was_not_yet_in_force_is_another_law() -> None:
    frame = ask(ANSWERED, ("a", "2014-01-01", "KHM", "N9", 0, 2), ("a", "2016-01-01", "KHM", "A1", 1, 2))  # fmt: skip
    assert _judged(frame, LESS) == ["1", "1"]


def test_a_law_that_goes_and_returns_is_a_change() -> None:
    versions = [LawVersion(f"{year}-01-01", at_least=n) for year, n in
                ((2015, 4), (2020, 1), (2021, 4))]  # fmt: skip
    frame = ask(
        ANSWERED,
        ("a", "2019-06-01", "KHM", "A1", 1, 2),
        ("a", "2020-06-01", "KHM", "A1", 0, 2),
        ("a", "2021-06-01", "KHM", "A1", 1, 2),
    )
    assert _judged(frame, _rule(*versions)) == ["1", "1", "1"]


def test_only_the_country_whose_law_changed_is_judged_again() -> None:
    frame = ask(
        ANSWERED,
        ("a", "2020-01-01", "KHM", "A1", 1, 2),
        ("a", "2022-01-01", "KHM", "N9", 0, 2),
        ("b", "2018-01-01", "VNM", "A1", 0, 2),
        ("b", "2022-01-01", "VNM", "N9", 0, 2),
    )
    assert _judged(frame, LESS, Law("VNM")) == ["1", "1", "0", "0"]
    assert _map(frame, PACK, LESS, Law("VNM")).yardstick == "2018-01-01"


def test_the_yardstick_is_one_for_all_tables(tmp_path: Path) -> None:
    """Two files, one before the change and one after: each alone would see no change."""
    root = make_project(tmp_path)
    rows = [(f"f{n}", year, "VNM", "workplace_dialogue_held", int(year < 2021), 2.0)
            for n in range(2) for year in (2020, 2021)]  # fmt: skip
    whole = pd.DataFrame(rows, columns=["factory", "year", *NAMES.split()[2:], "answer"])
    key = [*KEYS, "question"]
    units = whole[KEYS].assign(x=[0, 1, 1, 0])
    parts = {
        "early": (whole[whole["year"] < 2021], key),
        "late": (whole[whole["year"] >= 2021], key),
        "units": (units, KEYS),
    }
    write_tables(root, parts, questionnaire="better_work")
    fixed = declare("noncompliance_fixed", "outcome", "factory-cycle", "share")
    measured = measure(study_of(root, OUTCOME, fixed, EXPOSED))
    assert measured.data["noncompliance"].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert measured.data["noncompliance_fixed"].tolist() == [1.0, 1.0, 1.0, 1.0]
    told = measured.definitions["noncompliance_fixed"]
    assert (told["counted"], told["law"], told["day"]) == ("questions", "fixed", "2020-07-01")
    assert measured.definitions["noncompliance"]["law"] == "day"
    steps = measured.steps.set_index("step")["rows"]
    assert steps["answers"] == steps["read sample.early"] + steps["read sample.late"]


def test_an_assessment_in_two_tables_is_refused(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    frame = ask("factory year question finding", ("a", 2019, "q", 1))
    key = [*KEYS, "question"]
    units = frame[KEYS].assign(x=0)
    write_tables(root, {"one": (frame, key), "two": (frame, key), "units": (units, KEYS)})
    with pytest.raises(MeasureError, match=r"'q'.* answered more than once for one factory"):
        measure(study_of(root, OUTCOME, EXPOSED))


def test_the_order_of_rows_changes_no_item_and_no_judgement() -> None:
    rows = [
        ("a", "2020-01-01", "KHM", "A1", 1, 2),
        ("a", "2022-02-01", "KHM", "N9", 0, 2),
        ("b", "2018-01-01", "VNM", "Z9", 0, NAN),
        ("b", "2018-01-01", "VNM", "7", 0, NAN),
    ]
    wanted = ["factory", "question", "item", "version", "finding_fixed", "common"]
    results = [
        _map(ask(ANSWERED, *order), PACK, LESS)
        .data[wanted]
        .astype({"question": "str", "item": "str", "version": "str"})
        .sort_values("question", ignore_index=True)
        for order in permutations(rows)
    ]
    for other in results[1:]:
        pd.testing.assert_frame_equal(results[0], other)


INDIA_PACK = """
[[versions]]
id = "cat"
countries = ["IND"]
first_day = "2024-04-01"

[[versions]]
id = "virtual_check"
countries = ["IND"]
first_day = "2025-07-01"
mode = "virtual"

[[questions]]
id = "grievance_committee_members"
point = "dialogue_and_disputes"
institution = ["committee", "grievance"]
provenance = "assumed"
[[questions.asked]]
code = "GRC_2"
countries = ["IND"]
versions = ["cat"]
[[questions.asked]]
code = "V_GRC"
countries = ["IND"]
modes = ["virtual"]
"""
INDIA_LAW = """
country = "IND"
[[rules]]
id = "grievance_committee_size"
questions = ["grievance_committee_members"]
unit = "members"
[[rules.versions]]
in_force = "2010-09-15"
at_most = 6
[[rules.versions]]
in_force = "2025-11-21"
at_most = 10
"""


def test_a_country_is_added_by_data_alone(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    data = root / "data"
    country = 'iso3 = "IND"\nname.en = "India"\nsectors = ["garment"]'
    append(data / "countries" / "IND.toml", country)
    append(data / "laws" / "IND.toml", INDIA_LAW)
    append(data / "questionnaires" / "better_work.toml", INDIA_PACK)
    answers = ask(
        "factory date country point question finding answer",
        ("a", "2025-05-01", "IND", "", "GRC_2", 1, 8),
        ("a", "2025-05-01", "IND", "Paid Leave", "11", 0, NAN),
        ("a", "2026-01-01", "IND", "", "V_GRC", 0, 8),
        ("a", "2026-01-01", "IND", "Paid Leave", "11", 0, NAN),
    )
    units = ask("factory year x", ("a", 2025, 0), ("a", 2026, 1))
    write_tables(
        root,
        {"answers": (answers, ["factory", "date", "question"]), "units": (units, KEYS)},
        questionnaire="better_work",
    )
    fixed = declare("noncompliance_fixed", "outcome", "factory-cycle", "share")
    measured = measure(study_of(root, OUTCOME, fixed, EXPOSED))
    assert measured.data["noncompliance"].tolist() == [1 / 2, 0.0]
    assert measured.data["noncompliance_fixed"].tolist() == [1 / 2, 1 / 2]
    assert measured.answers is not None
    assert set(measured.answers.data["version"]) == {"cat", "virtual_check"}
    exposed = declare("grievance", "exposure", "factory-cycle")
    write_tables(
        root,
        {
            "answers": (answers, ["factory", "date", "question"]),
            "units": (units.rename(columns={"x": "grievance"}), KEYS),
        },
        questionnaire="better_work",
    )
    measured = measure(study_of(root, OUTCOME, exposed, exposure="grievance"))
    assert measured.items_left_out == ("grievance_committee_members",)


def test_a_question_that_a_file_puts_under_another_point_is_told() -> None:
    rows = ask(f"{NAMES} point", ("a", 2020, "KHM", "N9", 1, "wages"))
    mapped = _map(rows)
    assert mapped.contradicted == ("N9",)
    assert mapped.data[["item", "point"]].to_numpy().tolist() == [["minutes", "dialogue"]]
    assert _map(rows.assign(point="dialogue")).contradicted == ()
