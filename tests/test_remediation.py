"""How long findings stay: hand-made histories, and a slow reference on random ones."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from evidence.errors import MeasureError
from evidence.measures import list_spells

INF = math.inf
DAY = pd.Timestamp("2020-01-01")
Spell = tuple[int, float, float, str, str, bool, str]


def _answers(
    findings: dict[int, float], item: str = "q", *, critical: bool = False
) -> pd.DataFrame:
    """Make a history: day → finding."""
    return pd.DataFrame(
        {
            "factory": "a",
            "item": item,
            "date": [DAY + pd.Timedelta(days=day) for day in findings],
            "finding": list(findings.values()),
            "critical": critical,
        }
    )


def _plans(*days: int | None, item: str = "q") -> pd.DataFrame:
    after = pd.to_timedelta(pd.Series(days, dtype="float64"), unit="D")
    return pd.DataFrame({"factory": "a", "item": item, "remediated": DAY + after})


def _list(answers: pd.DataFrame, plans: pd.DataFrame | None = None) -> list[Spell]:
    spells = list_spells(answers, "factory", plans)
    spells["opened"] = (spells["opened"] - DAY).dt.days
    return list(spells.drop(columns=["factory", "item"]).itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ({0: 0, 100: 0}, []),
        ({0: 0, 100: 1}, [(100, 0, INF, "right", "assessment", False, "after_clean")]),
        ({0: 0, 100: 1, 400: 1}, [(100, 300, INF, "right", "assessment", False, "after_clean")]),
        ({0: 0, 100: 1, 400: 0}, [(100, 0, 300, "interval", "assessment", True, "after_clean")]),
        ({0: 1, 300: 1, 700: 0}, [(0, 300, 700, "interval", "assessment", True, "unknown")]),
        (
            {0: 1, 10: 0, 20: 0, 30: 1, 50: 1},
            [
                (0, 0, 10, "interval", "assessment", True, "unknown"),
                (30, 20, INF, "right", "assessment", False, "after_clean"),
            ],
        ),
        ({0: 1, 10: math.nan, 20: 0}, [(0, 0, 20, "interval", "assessment", True, "unknown")]),
    ],
    ids=[
        "never found",
        "found at the end",
        "never cleared",
        "cleared between two visits",
        "there from the first visit",
        "recurring",
        "unanswered in between",
    ],
)
def test_a_history_becomes_its_spells(findings: dict[int, float], expected: list[Spell]) -> None:
    assert _list(_answers(findings)) == expected


HISTORY: dict[int, float] = {0: 0, 100: 1, 200: 1, 400: 0}


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((250,), (150, 150, "exact", "plan")),
        ((200,), (100, 100, "exact", "plan")),
        ((400,), (300, 300, "exact", "plan")),
        ((150,), (100, 300, "interval", "assessment")),
        ((150, 250), (150, 150, "exact", "plan")),
        ((250, 300), (150, 150, "exact", "plan")),
        ((50,), (100, 300, "interval", "assessment")),
        ((401,), (100, 300, "interval", "assessment")),
        ((None,), (100, 300, "interval", "assessment")),
        ((), (100, 300, "interval", "assessment")),
    ],
    ids=[
        "between the visits",
        "on the day of the last finding",
        "on the day of the clean visit",
        "contradicted by a later finding",
        "contradicted once, then not",
        "two, the first counts",
        "before the finding",
        "after the clean visit",
        "no day",
        "no plan",
    ],
)
@pytest.mark.parametrize("critical", [True, False])
def test_a_plans_day_counts_where_no_assessment_contradicts_it(
    days: tuple[int | None, ...], expected: tuple[float, float, str, str], *, critical: bool
) -> None:
    (spell,) = _list(_answers(HISTORY, critical=critical), _plans(*days))
    assert spell[1:5] == expected
    assert spell[5] is (critical if spell[4] == "plan" else True)


def test_a_plan_ends_a_spell_that_no_assessment_saw_end() -> None:
    (spell,) = _list(_answers({0: 0, 100: 1}), _plans(160))
    assert spell == (100, 60, 60, "exact", "plan", False, "after_clean")


def test_a_plan_of_another_spell_or_item_does_not_count() -> None:
    answers = _answers({0: 1, 100: 0, 200: 1, 300: 0})
    first, second = _list(answers, _plans(50))
    assert (first[3], second[3]) == ("exact", "interval")
    assert [s[3] for s in _list(answers, _plans(50, 250, item="r"))] == ["interval", "interval"]


def test_histories_of_units_and_items_do_not_mix() -> None:
    one, two = _answers({0: 1, 10: 1}), _answers({20: 0, 30: 1}, "r")
    other = _answers({40: 0}).assign(factory="b")
    spells = list_spells(pd.concat([other, two, one]), "factory")
    assert spells[["factory", "item", "censoring"]].to_numpy().tolist() == [
        ["a", "q", "right"],
        ["a", "r", "right"],
    ]
    assert spells["onset"].tolist() == ["unknown", "after_clean"]


def test_no_finding_gives_an_empty_list_with_its_columns() -> None:
    for plans in (None, _plans(5)):
        spells = list_spells(_answers({0: 0, 10: 0}), "factory", plans)
        assert spells.empty
        assert spells.columns.tolist() == [
            "factory", "item", "opened", "lower", "upper", "censoring", "source", "verified",
            "onset",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (_answers({0: 1}).drop(columns="date"), "expected also date"),
        (
            _answers({0: 1}).assign(date=pd.Series([pd.NaT])),
            "1 answers without a day, 0 to the same item",
        ),
        (pd.concat([_answers({0: 1}), _answers({0: 0})]), "1 to the same item on the same day"),
        (_answers({0: 3}), "finding '3'; expected 1 for a finding"),
    ],
    ids=["no column", "no day", "twice a day", "no flag"],
)
def test_a_history_that_cannot_be_told_is_refused(answers: pd.DataFrame, message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        list_spells(answers, "factory")


def test_plans_without_their_columns_are_refused() -> None:
    plans = _plans(5).rename(columns={"item": "issue"})
    with pytest.raises(MeasureError, match=r"list_spells: plans: .* expected also item"):
        list_spells(_answers({0: 1}), "factory", plans)


def _reference(findings: list[tuple[int, int]], plans: list[int], *, critical: bool) -> list[Spell]:
    """List the spells of one history by walking through it, slowly."""
    spells: list[Spell] = []
    place = 0
    while place < len(findings):
        day, finding = findings[place]
        if not finding:
            place += 1
            continue
        onset = "after_clean" if place else "unknown"
        last = day
        while place < len(findings) and findings[place][1]:
            last = findings[place][0]
            place += 1
        cleared = findings[place][0] if place < len(findings) else INF
        reported = [plan for plan in sorted(plans) if last <= plan <= cleared]
        if reported:
            length = reported[0] - day
            spells.append((day, length, length, "exact", "plan", critical, onset))
        elif cleared < INF:
            spells.append((day, last - day, cleared - day, "interval", "assessment", True, onset))
        else:
            spells.append((day, last - day, INF, "right", "assessment", False, onset))
    return spells


def test_spells_agree_with_a_slow_reference_on_random_histories() -> None:
    rng = np.random.default_rng(20261122)
    frames, planned, expected = [], [], []
    for number in range(400):
        unit, item = f"f{number // 4:03d}", f"q{number % 4}"
        days = np.sort(rng.choice(600, size=rng.integers(1, 9), replace=False)).tolist()
        history = [(day, int(rng.integers(0, 2))) for day in days]
        plans = rng.integers(-20, 640, size=rng.integers(0, 5)).tolist()
        critical = bool(rng.integers(0, 2))
        frame = _answers(dict(history), item, critical=critical)
        frames.append(frame.assign(factory=unit))
        planned.append(_plans(*plans, item=item).assign(factory=unit))
        expected += [
            (unit, item, *spell) for spell in _reference(history, plans, critical=critical)
        ]
    answers = pd.concat(frames).sample(frac=1, random_state=1)
    spells = list_spells(answers, "factory", pd.concat(planned).sample(frac=1, random_state=2))
    spells["opened"] = (spells["opened"] - DAY).dt.days
    assert list(spells.itertuples(index=False, name=None)) == expected
    bounds = spells[["lower", "upper"]].to_numpy()
    assert (bounds[:, 0] <= bounds[:, 1]).all()
