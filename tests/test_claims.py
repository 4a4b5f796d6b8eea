"""From an estimate of each design to the sentence that it has earned, and no further."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evidence.errors import StudyError
from evidence.findings import Finding, agrees, as_entry, state
from evidence.models import Fit, fit
from evidence.panel import Panel
from evidence.study import Claim, load_study
from samples import Section, declare, edit, make_panel, specify, study_file

ENTITIES, PERIODS = 240, 8
VARIABLES = [
    declare("factory", "entity", "factory", "identifier"),
    declare("year", "time", "factory", "year"),
    declare("y", "outcome", "factory-cycle"),
    declare("adopted", "exposure", "factory-cycle", "indicator"),
    declare("x", "exposure", "factory-cycle"),
    declare("large", "control", "factory", "indicator"),
    declare("w", "control", "factory-cycle"),
]
WITHIN = specify("within", "fixed_effects", "adopted", effects=["entity", "time"])
ADOPTION = specify("adoption", "callaway_santanna", "adopted")


def _simulate(effect: float = 2.0, lead: float = 0.0) -> pd.DataFrame:
    """Simulate factories that adopt in two waves or never; ``lead`` is a trend before."""
    rng = np.random.default_rng(5)
    number = np.repeat(np.arange(ENTITIES), PERIODS)
    year = np.tile(np.arange(PERIODS), ENTITIES)
    start = rng.choice([4, 6, 99], size=ENTITIES)[number]
    own, calendar = rng.normal(size=ENTITIES)[number], rng.normal(size=PERIODS)[year]
    adopted, large = (year >= start).astype(int), rng.integers(0, 2, ENTITIES)[number]
    w, hidden = rng.normal(size=len(year)), rng.normal(size=len(year))
    x = w + hidden + rng.normal(size=len(year))
    noise = rng.normal(size=len(year))
    y = effect * adopted * (1 + 0.5 * large) + 0.7 * x + hidden + own + calendar + noise
    y += lead * np.where(start < 99, year, 0)
    return pd.DataFrame(
        {"factory": [f"f{n:03}" for n in number], "year": 2010 + year, "y": y,
         "adopted": adopted, "x": x, "large": large, "w": w}
    )  # fmt: skip


def _state(
    folder: Path,
    frame: pd.DataFrame,
    specs: list[Section],
    *,
    specification: str,
    moderator: str = "",
) -> tuple[Panel, tuple[Fit, ...], Finding]:
    panel = make_panel(folder, frame, VARIABLES, specs)
    claims = (Claim("c", specification, moderator=moderator),)
    panel = replace(panel, study=replace(panel.study, claims=claims))
    fits = tuple(fit(panel, str(spec["id"])) for spec in specs)
    return panel, fits, state(panel, fits)[0]


def test_adoption_with_parallel_trends_before_earns_words_of_change(tmp_path: Path) -> None:
    _, _, told = _state(tmp_path, _simulate(), [ADOPTION], specification="adoption")
    assert (told.design, told.direction, told.pretrends) == ("adoption", "increase", "parallel")
    assert (told.wording, told.grade.label, told.grade.level) == ("adoption", "moderate", 3)
    assert told.estimate is not None
    assert told.conf_low is not None
    assert told.conf_high is not None
    assert told.conf_low < 2.5 < told.conf_high


def test_adoption_with_trends_apart_before_loses_them(tmp_path: Path) -> None:
    frame = _simulate(lead=0.5)
    _, _, told = _state(tmp_path, frame, [ADOPTION], specification="adoption")
    assert told.pretrends == "apart"
    assert "pretrends_apart" in told.grade.reasons
    assert told.wording == "within"


def test_a_study_that_tests_trends_lends_the_test_to_its_within_comparison(tmp_path: Path) -> None:
    specs = [WITHIN, ADOPTION]
    _, _, told = _state(tmp_path, _simulate(), specs, specification="within")
    assert (told.pretrends, told.grade.level, told.wording) == ("parallel", 3, "within")
    _, _, alone = _state(tmp_path / "alone", _simulate(), [WITHIN], specification="within")
    assert (alone.pretrends, alone.grade.level) == ("unknown", 2)


def test_an_instrument_is_an_association_and_a_weak_one_tells_nothing(tmp_path: Path) -> None:
    spec = specify("iv", "iv_2sls", "x", effects=["entity", "time"], instruments=["w"])
    _, _, told = _state(tmp_path, _simulate(), [spec], specification="iv")
    assert (told.design, told.wording, told.direction) == ("instrument", "instrument", "increase")
    assert "instrument_untested" in told.grade.reasons
    frame = _simulate()
    frame["w"] = np.random.default_rng(1).normal(size=len(frame)) + 0.05 * frame["x"]
    _, _, weak = _state(tmp_path / "weak", frame, [spec], specification="iv")
    assert next(c for c in weak.checks if c["name"] == "first_stage")["failed"]
    assert weak.direction in {"unproven", "unclear"}
    assert weak.grade.label == "cannot tell"


def test_a_moderator_tells_how_a_difference_differs(tmp_path: Path) -> None:
    spec = {**WITHIN, "moderators": ["large"]}
    panel, fits, told = _state(
        tmp_path, _simulate(), [spec], specification="within", moderator="large"
    )
    assert told.rows[0]["term"] == "adopted:large"
    assert (told.wording, told.direction, told.moderator) == ("moderated", "increase", "large")
    rows = fits[0].estimates.set_index("term")
    estimate, error = rows["estimate"].to_dict(), rows["std_error"].to_dict()
    assert abs(estimate["adopted:large"] - 1.0) < 4 * error["adopted:large"]
    # Centred: the exposure's own row stays the average over factories, not that of small ones.
    average = 2 * (1 + 0.5 * float(panel.data["large"].mean()))
    assert abs(estimate["adopted"] - average) < 4 * error["adopted"]


def test_a_moderator_that_a_single_side_carries_has_no_interval(tmp_path: Path) -> None:
    frame = _simulate()
    movers = frame.loc[frame["adopted"] == 1, "factory"].unique()
    frame["large"] = (frame["factory"] == movers[0]).astype(int)
    spec = {**WITHIN, "moderators": ["large"]}
    _, fits, told = _state(tmp_path, frame, [spec], specification="within", moderator="large")
    assert fits[0].carriers["adopted:large"] < 2
    assert told.direction == "untested"


def test_a_claim_may_only_name_a_moderator_declared_beforehand(tmp_path: Path) -> None:
    panel = make_panel(tmp_path, _simulate(), VARIABLES, [WITHIN])
    path = study_file(panel.study.root, "sample")
    edit(path, 'id = "c"', 'id = "c"\nmoderator = "large"')
    with pytest.raises(StudyError, match=r"claims\[1\]\.moderator.*before outcomes are read"):
        load_study(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("estimate", -2.0),
        ("conf_low", -0.1),
        ("n_clusters", 3),
        ("p_value", 0.2),
        ("nobs", 7),
        ("unit", "share"),
        ("reason", "because"),
        ("cov_type", "CR3"),
        ("std_error", 0.5),
        ("statistic", 1.5),
        ("n_treated_clusters", 7),
        ("small_sample", "stata"),
    ],
)
def test_a_finding_agrees_with_its_estimates_or_it_does_not(
    tmp_path: Path, column: str, value: Any
) -> None:
    specs = [WITHIN, {**WITHIN, "id": "pooled", "estimator": "pooled_ols", "effects": ["time"]}]
    panel, fits, told = _state(tmp_path, _simulate(), specs, specification="within")
    table = pd.concat([each.estimates for each in fits], ignore_index=True)
    entry = json.loads(json.dumps(as_entry(told)))
    assert agrees(entry, table, panel.study)
    changed = table.astype({column: object})
    changed.loc[0, column] = value
    assert not agrees(entry, changed, panel.study)


def test_another_specification_that_turns_its_sign_breaks_the_agreement(tmp_path: Path) -> None:
    specs = [WITHIN, {**WITHIN, "id": "pooled", "estimator": "pooled_ols", "effects": ["time"]}]
    panel, fits, told = _state(tmp_path, _simulate(), specs, specification="within")
    assert told.robustness == {"n_specifications": 1, "n_same_sign": 1}
    turned = fits[1].estimates.assign(estimate=-fits[1].estimates["estimate"])
    again = state(panel, (fits[0], replace(fits[1], estimates=turned)))[0]
    assert again.robustness == {"n_specifications": 1, "n_same_sign": 0}
    assert "specifications_differ" in again.grade.reasons
    assert again.grade.level < told.grade.level


def test_three_clusters_leave_nothing_to_tell(tmp_path: Path) -> None:
    panel, fits, told = _state(tmp_path, _simulate(), [WITHIN], specification="within")
    few = fits[0].estimates.assign(n_clusters=3)
    again = state(panel, (replace(fits[0], estimates=few),))[0]
    assert (told.direction, again.direction) == ("increase", "unproven")
    assert again.grade.label == "cannot tell"
