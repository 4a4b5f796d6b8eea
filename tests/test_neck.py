from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import jsonschema
import numpy as np
import pandas as pd
import pytest

from conftest import write_joined
from evidence.errors import NeckError
from evidence.exhibits import table_findings
from evidence.files import replace_file
from evidence.findings import state
from evidence.models import COLUMNS, fit
from evidence.neck import SCHEMAS, Neck, read_neck, save_neck, write_neck
from evidence.study import Study
from evidence.study.sections import Estimator
from samples import declare, make_panel, specify


def test_every_schema_is_a_valid_schema() -> None:
    schemas = sorted(SCHEMAS.glob("*.schema.json"))
    assert len(schemas) >= 8
    for path in schemas:
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


def test_estimates_of_every_estimator_can_be_written() -> None:
    schema = json.loads((SCHEMAS / "estimates.schema.json").read_text("utf-8"))
    known = schema["items"]["properties"]["estimator"]["enum"]
    assert set(known) == set(get_args(Estimator))


def test_variables_may_have_the_names_of_the_panels_keys(tmp_path: Path) -> None:
    variables = [
        declare("entity", "entity", "factory", "identifier"),
        declare("time", "time", "factory", "year"),
        declare("y", "outcome", "factory-cycle"),
        declare("x", "exposure", "factory-cycle"),
    ]
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "entity": np.repeat([f"f{n}" for n in range(40)], 4),
            "time": [2010, 2011, 2012, 2013] * 40,
        }
    ).assign(y=rng.normal(size=160), x=rng.normal(size=160))
    spec = specify("s", "fixed_effects", "x", effects=["entity", "time"])
    panel = make_panel(tmp_path, frame, variables, [spec])
    fits = (fit(panel, "s"),)
    findings = state(panel, fits)
    write_neck("out", panel, fits, findings, (table_findings(findings),))
    kept = pd.read_parquet(panel.study.root / "out" / "panel.parquet")
    assert list(kept.columns) == ["entity", "time", "y", "x"]
    assert kept["y"].tolist() == panel.data["y"].tolist()


def test_a_neck_survives_the_way_through_files_to_the_last_digit(
    plants_neck: Neck, tmp_path: Path
) -> None:
    save_neck(plants_neck, tmp_path)
    again = read_neck(tmp_path)
    pd.testing.assert_frame_equal(again.estimates, plants_neck.estimates, check_exact=True)
    assert again.findings == plants_neck.findings
    assert again.protected == plants_neck.protected
    before = {e.id: e.data for e in plants_neck.exhibits}
    for exhibit in again.exhibits:
        pd.testing.assert_frame_equal(exhibit.data, before[exhibit.id], check_exact=True)


def test_estimates_have_the_columns_of_the_plan_and_reasons_where_empty(
    plants_neck: Neck,
) -> None:
    assert tuple(plants_neck.estimates.columns) == COLUMNS
    refused = plants_neck.estimates[plants_neck.estimates["estimate"].isna()]
    assert list(refused["term"]) == ["union"]
    assert refused["reason"].str.contains("within share is 0").all()


def test_saving_twice_gives_the_same_bytes(plants_neck: Neck, tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_neck(plants_neck, tmp_path / name)
    for path in sorted((tmp_path / "one").rglob("*.*")):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert twin.read_bytes() == path.read_bytes()


def test_files_have_line_feeds_only_and_no_mark(plants_neck: Neck, tmp_path: Path) -> None:
    save_neck(plants_neck, tmp_path)
    for path in tmp_path.rglob("*.*"):
        payload = path.read_bytes()
        assert b"\r" not in payload
        assert not payload.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("name", ["estimates.csv", "findings.json", "protected.json"])
def test_a_missing_file_is_named(plants_neck: Neck, tmp_path: Path, name: str) -> None:
    save_neck(plants_neck, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(NeckError, match=rf"no {name}.*Run the study first"):
        read_neck(tmp_path)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("estimates.csv", "p_value", "pvalue"),
        ("estimates.csv", "fixed_effects", "magic"),
        ("findings.json", '"within"', '"hoped"'),
        ("findings.json", '"kind"', '"sort"'),
        ("protected.json", '"public"', '"secret"'),
        ("exhibits/findings.json", '"findings"', '"scatter"'),
        ("exhibits/findings.csv", "contributors", "rows"),
    ],
)
def test_a_file_that_breaks_its_schema_is_refused(
    plants_neck: Neck, tmp_path: Path, name: str, old: str, new: str
) -> None:
    save_neck(plants_neck, tmp_path)
    path = tmp_path / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(NeckError, match="expected"):
        read_neck(tmp_path)


def test_what_breaks_the_schema_is_not_written(plants_neck: Neck, tmp_path: Path) -> None:
    save_neck(plants_neck, tmp_path)
    before = (tmp_path / "findings.json").read_bytes()
    broken = [{**plants_neck.findings[0], "direction": "up"}]
    bad = Neck(plants_neck.estimates, broken, plants_neck.exhibits, plants_neck.protected)
    with pytest.raises(NeckError, match=r"findings\.json"):
        save_neck(bad, tmp_path)
    assert (tmp_path / "findings.json").read_bytes() == before


def test_cases_are_joined_with_a_comparison_for_each_claim(
    chains: Study, chains_neck: Neck
) -> None:
    comparisons = [e for e in chains_neck.findings if e["kind"] == "comparison"]
    assert {e["id"] for e in comparisons} == {c.id for c in chains.claims}
    for entry in comparisons:
        assert entry["n_cases"] == 7
        assert entry["n_decrease"] + entry["n_increase"] + entry["n_unclear"] == 7
        assert len(entry["findings"]) == 7
    ids = [e["id"] for e in chains_neck.findings]
    assert len(ids) == len(set(ids))


def test_joining_keeps_the_order_of_the_cases(chains: Study, chains_neck: Neck) -> None:
    assert list(dict.fromkeys(chains_neck.estimates["case"])) == [c.id for c in chains.cases]
    figure = next(e for e in chains_neck.exhibits if e.id == "coefficients")
    assert list(figure.data["case"]) == [c.id for c in chains.cases]
    assert figure.data["claim"].nunique() == 1


def test_a_single_case_has_no_comparison(chains: Study) -> None:
    neck = write_joined(chains, "reports/internal/value_chains/alone")
    assert {e["kind"] for e in neck.findings} == {"finding"}


def test_a_failed_write_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "page.html"
    replace_file(target, b"good")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evidence.files.os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(target, b"half")
    assert target.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [target]
