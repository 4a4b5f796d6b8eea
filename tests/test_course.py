"""Exercises of the courses: answers follow from the panel, and open cells stay open."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from evidence.course import EXERCISES, check_answer
from evidence.errors import FindingError
from evidence.findings import state
from evidence.measures import score_measures
from evidence.models import fit_specifications
from evidence.panel import Panel, build_panel
from evidence.sources import read_sources
from evidence.study import load_study
from samples import make_project, study_file

COURSES = {
    "course_ministry": "government",
    "course_unions": "workers",
    "course_employers": "employers",
}


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Panel]:
    root = make_project(tmp_path_factory.mktemp("courses"))
    found = {}
    for slug in COURSES:
        study = load_study(study_file(root, slug))
        sources = read_sources(study, study.cases[0], 1)
        found[slug] = build_panel(study, score_measures(study, sources))
    return found


@pytest.mark.parametrize("slug", COURSES)
def test_a_course_recovers_the_declared_effect_and_its_placebo_finds_nothing(
    panels: dict[str, Panel], slug: str
) -> None:
    panel = panels[slug]
    headline, placebo = state(panel, fit_specifications(panel, slug))
    assert headline.direction == ("increase" if slug == "course_employers" else "decrease")
    assert headline.true_effect is not None
    assert headline.conf_low is not None
    assert headline.conf_high is not None
    assert headline.conf_low <= headline.true_effect <= headline.conf_high
    assert placebo.direction == "unclear"
    assert panel.study.brief.audiences == (COURSES[slug],)


@pytest.mark.parametrize("slug", COURSES)
def test_answers_computed_apart_are_right(panels: dict[str, Panel], slug: str) -> None:
    panel = panels[slug]
    spec = panel.study.specification("within")
    data = panel.data[[spec.outcome, spec.exposures[0]]].astype("float64")
    inside = data - data.groupby(level="entity").transform("mean")
    inside -= inside.groupby(level="time").transform("mean")
    y, x = inside.to_numpy().T
    slope = float(x @ y / (x @ x))
    share = spec.outcome == "violations"
    changes = data.iloc[:, 1].groupby(level="entity").nunique()
    answers: dict[str, object] = {
        "entities": len(changes),
        "unchanged": int((changes == 1).sum()),
        "estimate": 100 * (slope if share else np.expm1(slope)),
        "certainty": state(panel, fit_specifications(panel, slug))[0].grade.label.upper(),
        "placebo": False,
        "rerun": f"evidence  run {slug}",
    }
    assert set(answers) == set(EXERCISES)
    for exercise, answer in answers.items():
        assert check_answer(panel, exercise, answer) == "Right.", exercise
        assert check_answer(panel, exercise, ...).startswith("Not answered yet")
        assert check_answer(panel, exercise, None).startswith("Not answered yet")
    assert check_answer(panel, "estimate", round(float(str(answers["estimate"])), 1)) == "Right."
    assert check_answer(panel, "rerun", f"evidence run notebooks/studies/{slug}.toml") == "Right."


@pytest.mark.parametrize(
    ("exercise", "wrong"),
    [
        ("entities", 151), ("unchanged", 0), ("estimate", 4.0), ("certainty", "high"),
        ("placebo", True), ("rerun", "run it"), ("rerun", "evidence check course_ministry"),
    ],
)  # fmt: skip
def test_a_wrong_answer_gets_a_hint_that_does_not_give_the_answer(
    panels: dict[str, Panel], exercise: str, wrong: object
) -> None:
    told = check_answer(panels["course_ministry"], exercise, wrong)
    assert told == f"Not yet. {EXERCISES[exercise].hint}"
    assert not re.search(r"\d", told)


@pytest.mark.parametrize(
    ("exercise", "other"),
    [
        ("entities", "many"), ("estimate", (-4, 8)), ("estimate", "-4.8"), ("certainty", 3),
        ("placebo", 0), ("placebo", "False"), ("entities", True), ("rerun", len),
    ],
)  # fmt: skip
def test_another_kind_of_answer_is_told_how_to_write_it(
    panels: dict[str, Panel], exercise: str, other: object
) -> None:
    told = check_answer(panels["course_ministry"], exercise, other)
    assert told == f"Not yet: this is another kind of answer. {EXERCISES[exercise].kind}"


def test_an_unknown_exercise_is_refused_with_the_nearest(panels: dict[str, Panel]) -> None:
    with pytest.raises(FindingError, match=r"did you mean 'estimate'"):
        check_answer(panels["course_unions"], "estimat", 1)


@pytest.mark.parametrize("slug", COURSES)
def test_every_exercise_stands_in_the_committed_notebook_unanswered(slug: str) -> None:
    notebook = json.loads(Path(ROOT, "notebooks", f"{slug}.ipynb").read_text("utf-8"))
    code = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    asked = [c for c in code if "check_answer" in c]
    assert len(asked) == len(EXERCISES)
    for exercise in EXERCISES:
        cell = f'answer_{exercise} = ...\nev.check_answer(panel, "{exercise}", answer_{exercise})'
        assert cell in asked
