"""What changed between two runs: classes, parts that add up, and warnings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import finish
from evidence.changes import Change, Move, compare_runs, find_run, list_lines, write_change
from evidence.changes.compare import _choose_kind
from evidence.changes.count import mask_counts
from evidence.changes.noise import measure_noise
from evidence.changes.side import Side
from evidence.cli import main
from evidence.errors import RunError
from evidence.files import replace_file
from evidence.measures import score_measures
from evidence.panel import build_panel
from evidence.run import MOST_KEPT, list_history, mark_published
from evidence.sources import read_sources
from evidence.study import Study, load_study
from samples import declare, edit, make_project, specify, study_file, write_source, write_study

COLUMNS = {"id": "text", "year": "integer", "y": "number", "x": "number"}
VARIABLES = [
    declare("id", "entity", "factory"),
    declare("year", "time", "factory", "year"),
    declare("y", "outcome", "factory-cycle"),
    declare("x", "exposure", "factory-cycle"),
]
WITHIN = specify("within", "fixed_effects", "x", effects=["entity", "time"])


def _simulate(
    entities: int = 60, years: int = 6, seed: int = 3, effect: float = 1.0, noise: float = 0.5
) -> pd.DataFrame:
    """Draw a simulated panel: y = effect·x + entity + noise."""
    draw = np.random.default_rng(seed)
    ids = [f"f{number:03d}" for number in range(entities)]
    frame = pd.DataFrame([(i, 2010 + t) for i in ids for t in range(years)], columns=["id", "year"])
    frame["x"] = draw.normal(size=len(frame))
    level = np.repeat(draw.normal(size=entities), years)
    frame["y"] = effect * frame["x"] + level + noise * draw.normal(size=len(frame))
    return frame


def _run(root: Path, frame: pd.DataFrame, *, extra: str = "") -> Study:
    study = write_study(root, VARIABLES, [WITHIN])
    csv = frame.to_csv(index=False, float_format="%.17g", lineterminator="\n")
    write_source(root, csv, COLUMNS, key=["id", "year"], extra=extra)
    finish(study)
    return study


def _compare(root: Path, before: pd.DataFrame, after: pd.DataFrame) -> Change:
    _run(root, before)
    _run(root, after)
    return compare_runs(find_run(root, "sample@previous"), find_run(root, "sample"))


def _parts(move: Move) -> dict[str, float]:
    """Give the parts of a move, after checking that they add up."""
    parts: dict[str, float] = {part.cause: part.change for part in move.components}
    assert move.change is not None
    assert move.old is not None
    assert move.new is not None
    assert move.change == move.new["estimate"] - move.old["estimate"]
    size = max(abs(move.old["estimate"]), abs(move.new["estimate"]), *map(abs, parts.values()))
    assert abs(sum(parts.values()) - move.change) <= 1e-12 * size
    return parts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_project(tmp_path)


def test_new_years_of_known_factories_are_new_rows(root: Path) -> None:
    frame = _simulate()
    change = _compare(root, frame[frame["year"] < 2015], frame)
    (move,) = change.moves
    parts = _parts(move)
    assert parts["rows"] == pytest.approx(move.change, abs=1e-12)
    assert [parts["entities"], parts["data"]] == [0, 0]
    assert parts["code"] == pytest.approx(0, abs=1e-12)
    assert move.counts is not None
    assert (move.counts.rows_entered, move.counts.rows_left) == (60, 0)
    assert (move.counts.entities_entered, move.counts.values_changed) == (0, 0)
    assert [c.kind for c in change.cautions] == ["only_new_periods"]
    assert change.cautions[0].values == {"periods": [2015]}


def test_new_and_lost_factories_are_their_own_part(root: Path) -> None:
    frame = _simulate()
    before, after = frame[frame["id"] < "f050"], frame[frame["id"] >= "f004"]
    (move,) = _compare(root, before, after).moves
    parts = _parts(move)
    assert parts["entities"] == pytest.approx(move.change, abs=1e-12)
    assert [parts["rows"], parts["data"]] == [0, 0]
    assert move.counts is not None
    assert (move.counts.entities_entered, move.counts.entities_left) == (10, 4)
    assert (move.counts.clusters_old, move.counts.clusters_new) == (50, 56)


def test_another_scoring_is_told_as_such_and_not_as_progress(root: Path) -> None:
    frame = _simulate()
    change = _compare(root, frame, frame.assign(y=2 * frame["y"] + 1))
    (move,) = change.moves
    parts = _parts(move)
    assert parts["data"] == pytest.approx(move.change, abs=1e-12)
    assert [parts["rows"], parts["entities"]] == [0, 0]
    assert move.kind == "moved"
    assert move.counts is not None
    assert move.counts.values_changed == len(frame)
    assert move.counts.mean_change == pytest.approx((frame["y"] + 1).mean())
    assert [c.kind for c in change.cautions] == ["scoring_changed"]
    assert change.cautions[0].values["share"] == 1


def test_few_mended_values_are_a_revision(root: Path) -> None:
    frame = _simulate()
    mended = frame["y"].where(~frame.index.isin([7, 90, 200]), frame["y"] * 1.5)
    change = _compare(root, frame, frame.assign(y=mended))
    assert [c.kind for c in change.cautions] == ["values_revised"]
    assert change.moves[0].kind == "within_noise"


def test_several_changes_at_once_are_told_apart_and_add_up(root: Path) -> None:
    frame = _simulate(years=7)
    before = frame[(frame["id"] < "f050") & (frame["year"] < 2015)]
    before = before[~((before["id"] < "f020") & (before["year"] == 2011))]
    after = frame[frame["id"] >= "f003"].assign(y=1.4 * frame["y"])
    (move,) = _compare(root, before, after).moves
    parts = _parts(move)
    assert set(parts) == {"rows", "entities", "data", "code"}
    assert all(abs(parts[cause]) > 1e-4 for cause in ("rows", "entities", "data"))
    assert parts["data"] > 10 * max(abs(parts["rows"]), abs(parts["entities"]))
    assert abs(parts["code"]) < 1e-12


def test_the_way_back_has_the_same_parts_with_other_signs(root: Path) -> None:
    frame = _simulate()
    _run(root, frame[(frame["id"] < "f050") & (frame["year"] < 2014)])
    _run(root, frame[frame["id"] >= "f003"].assign(y=1.4 * frame["y"]))
    runs = find_run(root, "sample@previous"), find_run(root, "sample")
    forth = _parts(compare_runs(runs[0], runs[1]).moves[0])
    back = _parts(compare_runs(runs[1], runs[0]).moves[0])
    assert {k: -v for k, v in back.items()} == pytest.approx(forth, abs=1e-12)


def test_what_today_s_code_does_not_reproduce_is_code(root: Path) -> None:
    frame = _simulate()
    _run(root, frame[frame["year"] < 2015])
    _run(root, frame)
    old, new = find_run(root, "sample@previous"), find_run(root, "sample")
    (entry,) = old.neck.findings
    moved = entry | {"estimate": entry["estimate"] + 0.25}
    printed = replace(old, neck=replace(old.neck, findings=[moved]))
    change = compare_runs(printed, new)
    assert _parts(change.moves[0])["code"] == pytest.approx(-0.25, abs=1e-12)
    assert "not_reproduced" in [c.kind for c in change.cautions]
    other = json.loads(json.dumps(old.manifest))
    other["runs"][0]["parts"]["code"] = "0" * 64
    change = compare_runs(replace(printed, manifest=other), new)
    assert "not_reproduced" not in [c.kind for c in change.cautions]
    assert "code" in change.inputs_changed


def test_values_whose_cause_cannot_be_told_say_between_what(root: Path) -> None:
    frame = _simulate()
    _run(root, frame)
    pack = next((root / "data/laws").glob("*.toml"))
    pack.write_text(pack.read_text("utf-8") + "\n# amended\n", "utf-8")
    _run(root, frame.assign(y=2 * frame["y"]))
    change = compare_runs(find_run(root, "sample@previous"), find_run(root, "sample"))
    (values,) = [p for p in change.moves[0].components if p.cause == "values_mixed"]
    assert values.of == ("law", "data")
    assert change.cautions[0].values["reasons"] == ["law"]


def test_values_that_only_code_can_have_changed_are_code(root: Path) -> None:
    frame = _simulate()
    _run(root, frame)
    _run(root, frame.assign(y=2 * frame["y"]))
    old, new = find_run(root, "sample@previous"), find_run(root, "sample")
    manifest = json.loads(json.dumps(new.manifest))
    manifest["runs"][0]["parts"]["code"] = "0" * 64
    entry = old.neck.findings[0] | {"data": new.neck.findings[0]["data"]}
    scored = replace(old, manifest=manifest, neck=replace(old.neck, findings=[entry]))
    (move,) = compare_runs(scored, new).moves
    assert [part.cause for part in move.components] == ["rows", "entities", "code"]
    assert _parts(move)["code"] == pytest.approx(move.change, abs=1e-12)


def test_the_same_inputs_give_the_same_numbers_and_nothing_to_say(root: Path) -> None:
    frame = _simulate()
    _run(root, frame)
    run = find_run(root, "sample")
    change = compare_runs(run, run)
    assert [move.kind for move in change.moves] == ["same"]
    assert not change.inputs_changed
    assert not change.cautions
    assert change.moves[0].std_error == 0


def test_a_sign_that_turns_beyond_noise_is_flipped(root: Path) -> None:
    change = _compare(root, _simulate(effect=1.0), _simulate(effect=-1.0, seed=4))
    assert [(move.kind, move.standing) for move in change.moves] == [("flipped", "none")]


def test_a_sign_that_turns_beyond_noise_is_flipped_where_a_run_told_no_direction() -> None:
    wide = {"direction": "unclear", "estimate": -1.0, "conf_low": -2.5, "conf_high": 0.5}
    told = {"direction": "increase", "estimate": 1.0, "conf_low": 0.8, "conf_high": 1.2}
    move = Move(
        "c", "same", "firmed", wide, told, "points", change=2.0, conf_low=0.5, conf_high=3.5
    )
    assert _choose_kind(move, wide, told) == "flipped"
    same_sign = wide | {"estimate": 0.1}
    assert _choose_kind(replace(move, change=0.9, conf_high=1.3), same_sign, told) == "moved"
    assert _choose_kind(replace(move, conf_low=-0.1), wide, told) == "within_noise"
    assert _choose_kind(replace(move, conf_low=None), wide, told) == "noise_unknown"


def test_a_direction_that_is_no_longer_told_is_weakened(root: Path) -> None:
    frame = _simulate(effect=0.3, noise=1.0)
    short = frame[(frame["id"] < "f012") & (frame["year"] < 2013)]
    change = _compare(root, frame, short)
    assert [(move.kind, move.standing) for move in change.moves] == [("within_noise", "weakened")]


def test_claims_that_come_and_go_are_new_and_lost(root: Path) -> None:
    frame = _simulate()
    _run(root, frame)
    _, new = (find_run(root, "sample"),) * 2
    entry = new.neck.findings[0]
    other = entry | {"id": "d", "claim": "d"}
    changed = replace(new, neck=replace(new.neck, findings=[other]))
    change = compare_runs(new, changed)
    assert [(move.id, move.kind) for move in change.moves] == [("d", "new"), ("c", "lost")]
    refused = (
        entry | dict.fromkeys(("estimate", "conf_low", "conf_high")) | {"direction": "refused"}
    )
    changed = replace(new, neck=replace(new.neck, findings=[refused]))
    assert compare_runs(new, changed).moves[0].kind == "lost"
    unit = replace(new, neck=replace(new.neck, findings=[entry | {"unit": "hours"}]))
    assert compare_runs(new, unit).moves[0].kind == "other_question"


def test_another_specification_is_its_own_part(root: Path) -> None:
    frame = _simulate()
    frame["y"] += 0.5 * (frame["year"] - 2010) * frame["x"].mean() + frame["year"] % 3
    _run(root, frame)
    path = study_file(root, "sample")
    edit(path, 'effects = ["entity", "time"]', 'effects = ["entity"]')
    finish(load_study(path))
    change = compare_runs(find_run(root, "sample@previous"), find_run(root, "sample"))
    parts = _parts(change.moves[0])
    assert parts["specification"] == pytest.approx(change.moves[0].change, abs=1e-12)
    assert [c.kind for c in change.cautions] == ["specification_changed"]


ZOO: dict[str, dict[str, Any]] = {
    "pooled_ols": {"effects": ["time"]},
    "between": {},
    "random_effects": {},
    "first_differences": {},
    "mundlak": {},
    "poisson": {"effects": ["entity", "time"]},
    "callaway_santanna": {},
}


_SLOW = ("mundlak", "callaway_santanna", "random_effects", "between", "first_differences")


@pytest.mark.parametrize(
    "estimator",
    [pytest.param(name, marks=[pytest.mark.slow] if name in _SLOW else []) for name in ZOO],
)
def test_every_kind_of_estimate_is_reproduced_and_has_its_noise(root: Path, estimator: str) -> None:
    frame = _simulate(entities=40, years=5)
    starts = 2010 + frame["id"].str[1:].astype(int) % 5
    frame["d"] = ((frame["year"] >= starts) & (starts > 2010)).astype(int)
    frame["y"] = np.exp(0.3 * frame["y"] + 0.2 * frame["d"])
    columns = {**COLUMNS, "d": "number"}
    variables = [*VARIABLES[:3], declare("d", "exposure", "factory-cycle", "indicator"),
                 declare("x", "control", "factory-cycle")]  # fmt: skip
    spec = specify("within", estimator, "d", controls=["x"], **ZOO[estimator])
    for part in (frame[frame["id"] < "f037"], frame):
        study = write_study(root, variables, [spec])
        csv = part.to_csv(index=False, float_format="%.17g", lineterminator="\n")
        write_source(root, csv, columns, key=["id", "year"])
        finish(study)
    (move,) = compare_runs(find_run(root, "sample@previous"), find_run(root, "sample")).moves
    parts = _parts(move)
    assert abs(parts["code"]) < 1e-9
    assert parts["entities"] == pytest.approx(move.change, abs=1e-9)
    assert move.std_error


def test_runs_that_share_no_row_say_that_nothing_can_be_told_apart(root: Path) -> None:
    frame = _simulate()
    change = _compare(root, frame[frame["id"] < "f030"], frame[frame["id"] >= "f030"])
    (move,) = change.moves
    assert [part.cause for part in move.components] == ["together", "code"]
    assert move.left_open == "common_rows"
    assert _parts(move)


def test_a_run_without_its_rows_still_has_its_classes(root: Path) -> None:
    frame = _simulate()
    _run(root, frame[frame["year"] < 2015])
    _run(root, frame)
    old = find_run(root, "sample@previous")
    (old.folder / "cases/all/plants/panel.parquet").unlink()
    change = compare_runs(old, find_run(root, "sample"))
    assert (change.moves[0].kind, change.moves[0].left_open) == ("noise_unknown", "no_rows")
    assert _parts(change.moves[0])


def _side(root: Path, frame: pd.DataFrame) -> Side:
    """Take a side from a frame, past files: the noise alone is looked at."""
    study = load_study(study_file(root, "sample"))
    csv = frame.to_csv(index=False, float_format="%.17g", lineterminator="\n")
    write_source(root, csv, COLUMNS, key=["id", "year"])
    panel = build_panel(study, score_measures(study, read_sources(study, study.cases[0], 0)))
    return Side(panel, study.specification("within"), "x", "all", ("x",))


def _noise_of(root: Path, seed: int) -> tuple[float, float]:
    """Give a move that is chance alone (half of its rows shared), and its error."""
    frame = _simulate(entities=40, years=6, seed=seed)
    old, new = _side(root, frame[frame["year"] < 2014]), _side(root, frame[frame["year"] > 2011])
    noise = measure_noise(old, new)
    assert noise.std_error is not None
    estimates = [_least_squares(side.panel.data) for side in (old, new)]
    return estimates[1] - estimates[0], noise.std_error


def _least_squares(data: pd.DataFrame) -> float:
    """Estimate by hand: two-way demeaning of a balanced panel."""
    inside = data[["x", "y"]]
    for level in ("entity", "time"):
        inside = inside - inside.groupby(level=level).transform("mean")
    return float((inside["x"] * inside["y"]).sum() / (inside["x"] ** 2).sum())


def test_the_error_of_a_move_is_that_of_the_jackknife_by_hand(root: Path) -> None:
    write_study(root, VARIABLES, [WITHIN])
    frame = _simulate(entities=12, years=5)
    before, after = frame[frame["id"] < "f010"], frame[frame["id"] > "f001"]
    noise = measure_noise(_side(root, before), _side(root, after))

    def move(left: str) -> float:
        parts = [part[part["id"] != left].set_index(["id", "year"]) for part in (before, after)]
        told = [_least_squares(p.rename_axis(["entity", "time"])) for p in parts]
        return told[1] - told[0]

    moves = np.array([move(i) for i in frame["id"].unique()])
    by_hand = np.sqrt(11 / 12 * ((moves - move("")) ** 2).sum())
    assert noise.groups == 12
    assert noise.std_error == pytest.approx(by_hand, rel=1e-9)


def test_clusters_in_groups_give_nearly_the_same_error(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(root, VARIABLES, [WITHIN])
    frame = _simulate(entities=120)
    sides = _side(root, frame[frame["year"] < 2014]), _side(root, frame)
    whole = measure_noise(*sides)
    monkeypatch.setattr("evidence.changes.noise.MOST_SOLVED", 40)
    grouped = measure_noise(*sides)
    assert (whole.groups, grouped.groups) == (120, 40)
    assert grouped.std_error == pytest.approx(whole.std_error, rel=0.3)


@pytest.mark.slow
def test_an_interval_of_a_move_covers_no_difference_as_often_as_it_says(root: Path) -> None:
    write_study(root, VARIABLES, [WITHIN])
    told = [_noise_of(root, seed) for seed in range(200)]
    covered = np.mean([abs(move) <= 2.0227 * error for move, error in told])
    naive = np.mean([error for _, error in told]) / np.std([move for move, _ in told])
    assert 0.91 <= covered <= 0.985
    assert 0.85 <= naive <= 1.2


def test_finished_runs_are_kept_and_a_rebuild_adds_none(root: Path) -> None:
    frame = _simulate()
    study = _run(root, frame)
    first = list_history(study.internal)
    finish(study)
    assert [p.name for p in list_history(study.internal)] == [p.name for p in first]
    assert (study.internal / "history").stat().st_mode & 0o777 == 0o700
    assert first[0].stat().st_mode & 0o777 == 0o700
    kept = {p.relative_to(first[0]).as_posix() for p in first[0].rglob("*") if p.is_file()}
    assert {"manifest.json", "findings.json", "cases/all/plants/panel.parquet"} <= kept
    assert {"notebooks/studies/sample.toml", "data/sources/sample.toml"} <= kept
    before = (first[0] / "findings.json").read_bytes()
    _run(root, _simulate(seed=9))
    assert len(list_history(study.internal)) == 2
    assert (first[0] / "findings.json").read_bytes() == before


def test_the_oldest_runs_go_and_published_ones_stay(root: Path) -> None:
    frame = _simulate(entities=12, years=3)
    study = _run(root, frame)
    mark_published(study)
    first = list_history(study.internal)[0].name
    for number in range(MOST_KEPT + 1):
        _run(root, frame.assign(y=frame["y"] + number + 1))
    kept = [path.name for path in list_history(study.internal)]
    assert len(kept) == MOST_KEPT + 1
    assert first in kept
    assert find_run(root, "sample").id in kept


def _wrong(root: Path, study: Study) -> dict[str, tuple[str, str]]:
    return {
        "unknown": ("nothing", "no finished run of that name.*have run: sample"),
        "upward": ("../sample", "no finished run of that name"),
        "previous": ("sample@previous", "no run before the current one"),
        "prefix": ("sample@2000", "0 kept runs that begin with '2000'"),
        "empty": ("sample@", "0 kept runs that begin with ''"),
    }


@pytest.mark.parametrize("fault", ["unknown", "upward", "previous", "prefix", "empty"])
def test_a_run_that_is_not_there_is_an_error(root: Path, fault: str) -> None:
    study = _run(root, _simulate(entities=12, years=3))
    name, message = _wrong(root, study)[fault]
    with pytest.raises(RunError, match=message):
        find_run(root, name)


def test_a_run_of_an_older_schema_is_compared_and_a_damaged_one_is_refused(root: Path) -> None:
    study = _run(root, _simulate(entities=12, years=3))
    kept = list_history(study.internal)[0]
    document = json.loads((kept / "findings.json").read_text("utf-8"))
    del document["findings"][0]["nobs"]
    replace_file(kept / "findings.json", json.dumps(document).encode())
    run = find_run(root, "sample")
    assert [move.kind for move in compare_runs(run, run).moves] == ["same"]
    del document["findings"][0]["unit"]
    replace_file(kept / "findings.json", json.dumps(document).encode())
    with pytest.raises(RunError, match="results without unit"):
        find_run(root, "sample")
    replace_file(kept / "findings.json", b"{")
    with pytest.raises(RunError, match="a file that cannot be read"):
        find_run(root, "sample")


def test_a_run_is_found_by_folder_slug_and_prefix(root: Path) -> None:
    study = _run(root, _simulate(entities=12, years=3))
    kept = list_history(study.internal)[0]
    names = ["sample", str(kept), str(study.internal), f"sample@{kept.name[:10]}"]
    names.append(f"sample@{kept.name[-8:]}")
    assert {find_run(root, name).folder for name in names} == {kept}


def _call(root: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.chdir(root)
    result = CliRunner().invoke(main, ["diff", *arguments])
    return result.exit_code, result.output


def test_the_command_prints_a_summary_and_writes_page_and_json(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = _simulate()
    _run(root, frame)
    study = _run(root, frame.assign(y=3 * frame["y"]))
    code, text = _call(root, monkeypatch, "sample@previous", "sample")
    assert code == 0, text
    assert "Findings compared: 1 (1 moved)." in text
    assert "! The scoring changed: this is not progress, and no setback either." in text
    (page,) = (study.internal / "changes").glob("*.html")
    (document,) = (study.internal / "changes").glob("*.json")
    assert page.relative_to(root).as_posix() in text
    assert json.loads(document.read_text("utf-8"))["publishable"] is False
    before = page.read_bytes(), document.read_bytes()
    code, text = _call(root, monkeypatch, "sample@previous", "sample", "--json")
    assert json.loads(text)["findings"][0]["class"] == "moved"
    assert (page.read_bytes(), document.read_bytes()) == before
    assert str(root) not in page.read_text("utf-8") + text
    code, text = _call(root, monkeypatch, "sample@nothing", "sample")
    assert code == 1
    assert text.startswith("error: sample@nothing: 0 kept runs")


ADVICE = """
schema_version = 1
[[recommendations]]
id = "train_committees"
claim = "c"
audience = "government"
text = { en = "Train committees." }
reviewed_by = "the ministry's adviser"
reopen_when = "direction changes"
"""


def test_recommendations_to_reopen_stand_on_the_page(root: Path) -> None:
    path = study_file(root, "sample").with_name("sample.advice.toml")
    path.write_text(ADVICE, "utf-8")
    before, after = _simulate(effect=1.0), _simulate(effect=-1.0, seed=4)
    change = _compare(root, before, after)
    assert change.reopen == (
        ("train_committees", "direction changes (increase \N{RIGHTWARDS ARROW} decrease)"),
    )
    run = find_run(root, "sample")
    page, document = write_change(change, run, root)
    assert "train committees: direction changes (increase" in page.read_text("utf-8")
    assert json.loads(document.read_text("utf-8"))["reopen"][0]["recommendation"]
    assert compare_runs(run, run).reopen == ()


def test_how_a_coefficient_differs_with_a_moderator_is_compared_too(root: Path) -> None:
    frame = _simulate(years=5)
    frame["m"] = np.repeat(np.random.default_rng(1).normal(size=60), 5).round(3)
    frame["y"] += 0.4 * frame["x"] * frame["m"]
    variables = [*VARIABLES, declare("m", "control", "factory")]
    spec = specify("within", "fixed_effects", "x", effects=["entity", "time"], moderators=["m"])
    for part in (frame[frame["id"] < "f050"], frame):
        study = write_study(root, variables, [spec])
        study.path.write_text(study.path.read_text("utf-8") + 'moderator = "m"\n', "utf-8")
        csv = part.to_csv(index=False, float_format="%.17g", lineterminator="\n")
        write_source(root, csv, {**COLUMNS, "m": "number"}, key=["id", "year"])
        finish(load_study(study.path))
    run = find_run(root, "sample")
    change = compare_runs(find_run(root, "sample@previous"), run)
    (move,) = change.moves
    assert move.new is not None
    assert move.new["rows"][0]["term"] == "x:m"
    parts = _parts(move)
    assert abs(parts["code"]) < 1e-12
    assert parts["entities"] == pytest.approx(move.change, abs=1e-12)
    assert move.std_error
    page, _ = write_change(change, run, root)
    assert "X, by m, and y" in page.read_text("utf-8")


def _restrict(study: Study, edit_counts: Callable[[Path], Any]) -> None:
    for folder in list_history(study.internal):
        edit_counts(folder / "protected.json")


def test_small_counts_of_restricted_data_are_not_shown(root: Path) -> None:
    frame = _simulate()
    _run(root, frame[frame["id"] < "f057"])
    study = _run(root, frame)
    _restrict(study, lambda path: edit(path, '"public"', '"restricted"'))
    run = find_run(root, "sample")
    change = compare_runs(find_run(root, "sample@previous"), run)
    counts = change.moves[0].counts
    assert counts is not None
    assert counts.masked
    assert counts.entities_entered is counts.rows_entered is counts.entities_new is None
    assert counts.entities_old == 57
    assert "counts_masked" in [c.kind for c in change.cautions]
    page, document = write_change(change, run, root)
    assert "too few to show" in page.read_text("utf-8")
    assert '"entities_entered": null' in document.read_text("utf-8")
    assert "f058" not in page.read_text("utf-8") + document.read_text("utf-8")


def test_large_counts_are_shown_as_they_are(root: Path) -> None:
    frame = _simulate()
    (move,) = _compare(root, frame[frame["id"] < "f040"], frame).moves
    assert move.counts is not None
    assert mask_counts(move.counts, 10) == move.counts
    assert mask_counts(move.counts, 21).entities_entered is None


def test_a_page_words_no_move_as_better_or_worse(root: Path) -> None:
    frame = _simulate()
    change = _compare(root, frame, frame[frame["id"] > "f010"].assign(y=0.2 * frame["y"]))
    lines = list_lines(change, find_run(root, "sample"))
    text = " ".join(line for line in lines if not line.startswith("!")).lower()
    for word in ("progress", "improve", "better", "worse", "deteriorat", "setback"):
        assert word not in text
