from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evidence.disclosure import Cleared, clear
from evidence.disclosure.rules import check_findings
from evidence.errors import DisclosureError
from evidence.exhibits import Exhibit
from evidence.neck import Neck
from evidence.study import Disclosure, Study


def _restricted(neck: Neck) -> Neck:
    return replace(neck, protected={**neck.protected, "confidentiality": "restricted"})


def _with_finding(neck: Neck, **changes: Any) -> Neck:
    findings = copy.deepcopy(neck.findings)
    findings[0] |= changes
    return replace(neck, findings=findings)


def test_nothing_but_the_gate_makes_a_cleared_object(plants: Study, plants_neck: Neck) -> None:
    with pytest.raises(DisclosureError, match=r"made outside the gate.*disclosure\.clear"):
        Cleared(plants, plants_neck, {"threshold": 10}, "0" * 64, object())


def test_what_is_cleared_is_bound_by_a_hash_of_its_numbers(
    plants: Study, plants_neck: Neck
) -> None:
    first = clear(plants_neck, plants)
    assert clear(plants_neck, plants).sha256 == first.sha256
    other = replace(plants, sha256="f" * 64)
    assert clear(plants_neck, other).sha256 != first.sha256


@pytest.mark.parametrize("name", ["estimate", "conf_low", "conf_high"])
def test_a_finding_that_its_estimate_does_not_carry_is_refused(
    plants: Study, plants_neck: Neck, name: str
) -> None:
    changed = _with_finding(plants_neck, **{name: plants_neck.findings[0][name] + 1e-6})
    with pytest.raises(DisclosureError, match=r"finding 'grant_after'.*estimates\.csv"):
        clear(changed, plants)


def test_a_finding_with_another_count_is_refused(plants: Study, plants_neck: Neck) -> None:
    with pytest.raises(DisclosureError, match="finding 'grant_after'"):
        clear(_with_finding(plants_neck, nobs=163), plants)


def test_one_number_changed_in_any_row_that_a_finding_stands_on_is_refused(
    plants: Study, plants_neck: Neck
) -> None:
    cited = {(row["specification"], row["term"]) for f in plants_neck.findings for row in f["rows"]}
    table = plants_neck.estimates
    numbers = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    refused = 0
    for place, row in table.iterrows():
        if (row["specification"], row["term"]) not in cited:
            continue
        for name in numbers:
            if pd.isna(row[name]):
                continue
            changed = table.copy()
            changed.loc[place, name] = row[name] + 1
            with pytest.raises(DisclosureError, match=r"estimates\.csv"):
                clear(replace(plants_neck, estimates=changed), plants)
            refused += 1
    assert refused > 60


def test_a_changed_estimate_is_refused(plants: Study, plants_neck: Neck) -> None:
    estimates = plants_neck.estimates.copy()
    estimates.loc[estimates["specification"] == "within", "estimate"] *= -1
    with pytest.raises(DisclosureError, match="Run the study again"):
        clear(replace(plants_neck, estimates=estimates), plants)


def test_a_changed_exhibit_is_refused(plants: Study, plants_neck: Neck) -> None:
    exhibit = plants_neck.exhibits[0]
    data = exhibit.data.assign(estimate=exhibit.data["estimate"] + 1)
    changed = (Exhibit(exhibit.id, exhibit.specification, data), *plants_neck.exhibits[1:])
    with pytest.raises(DisclosureError, match=r"exhibit '.*findings\.json"):
        clear(replace(plants_neck, exhibits=changed), plants)


def test_the_threshold_binds_restricted_data(plants: Study, plants_neck: Neck) -> None:
    strict = replace(plants, disclosure=Disclosure(threshold=60))
    assert clear(plants_neck, strict).rules == {"threshold": 60}
    with pytest.raises(DisclosureError, match=r"fewer than 60 contributing units.*Merge"):
        clear(_restricted(plants_neck), strict)


def test_restricted_data_with_enough_contributors_pass(plants: Study, plants_neck: Neck) -> None:
    assert clear(_restricted(plants_neck), plants).rules == {"threshold": 10}


def test_the_thinnest_side_of_a_comparison_is_what_counts(plants: Study, plants_neck: Neck) -> None:
    contributors = {e["id"]: e["contributors"] for e in plants_neck.findings}
    assert contributors["union_between"] == 17
    tight = replace(plants, disclosure=Disclosure(threshold=18))
    with pytest.raises(DisclosureError, match=r"finding 'union_between': fewer than 18"):
        clear(_restricted(plants_neck), tight)


def test_restricted_data_without_their_protected_unit_are_refused(
    plants: Study, plants_neck: Neck
) -> None:
    findings = [{**entry, "contributors": None} for entry in plants_neck.findings]
    exhibits = tuple(
        replace(e, data=e.data.assign(contributors=np.nan)) for e in plants_neck.exhibits
    )
    uncounted = replace(plants_neck, findings=findings, exhibits=exhibits)
    assert clear(uncounted, plants).rules == {"threshold": 10}
    with pytest.raises(DisclosureError, match="no count of contributing units"):
        clear(_restricted(uncounted), plants)


@pytest.mark.parametrize(
    "change",
    [
        {"direction": "decrease"},
        {"unit": "percentage points"},
        {"grade": {"label": "high", "level": 5, "reasons": ["design_within"]}},
        {"design": "between"},
        {"level": "country"},
    ],
)
def test_a_finding_that_claims_more_than_its_row_is_refused(
    plants: Study, plants_neck: Neck, change: dict[str, Any]
) -> None:
    with pytest.raises(DisclosureError, match="finding 'grant_after'"):
        clear(_with_finding(plants_neck, **change), plants)


def test_a_changed_comparison_is_refused(chains: Study, chains_neck: Neck) -> None:
    assert chains_neck.findings[0]["kind"] == "comparison"
    count = chains_neck.findings[0]["n_decrease"] + 1
    with pytest.raises(DisclosureError, match="comparison of cases"):
        clear(_with_finding(chains_neck, n_decrease=count), chains)


def test_the_real_identifiers_reach_the_gate(chains_neck: Neck, plants_neck: Neck) -> None:
    assert len(chains_neck.protected["identifiers"]) == 2 * 680
    assert len(plants_neck.protected["identifiers"]) == 157


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "log_sales_per_employee"},
        {"exposure": "union"},
        {"moderator": "union"},
        {"contrast": "unit"},
        {"sdg": ["8.8"]},
        {"place": {"country": "BGD"}},
        {"id": "union_within"},
    ],
)
def test_a_finding_that_is_about_something_else_is_refused(
    plants: Study, plants_neck: Neck, change: dict[str, Any]
) -> None:
    told = {name: value for name, value in change.items() if name in plants_neck.exhibits[0].data}
    changed = _with_finding(plants_neck, **change)
    exhibits = tuple(
        replace(e, data=e.data.assign(**{
            name: e.data[name].mask(e.data["finding"] == "grant_after", value)
            for name, value in told.items()
        }))
        for e in plants_neck.exhibits
    )  # fmt: skip
    with pytest.raises(DisclosureError, match=r"finding '.*estimates\.csv"):
        clear(replace(changed, exhibits=exhibits), plants)


def test_a_finding_cannot_stand_twice(plants: Study, plants_neck: Neck) -> None:
    twice = [plants_neck.findings[0], *plants_neck.findings]
    with pytest.raises(DisclosureError, match=r"comparison of cases|stands twice"):
        clear(replace(plants_neck, findings=twice), plants)


def test_cases_without_their_comparison_are_refused(chains: Study, chains_neck: Neck) -> None:
    alone = [e for e in chains_neck.findings if e["kind"] == "finding"]
    with pytest.raises(DisclosureError, match="comparison of cases"):
        clear(replace(chains_neck, findings=alone), chains)


def test_a_table_of_findings_leaves_none_out(plants: Study, plants_neck: Neck) -> None:
    table = next(e for e in plants_neck.exhibits if e.id == "findings")
    picked = replace(table, data=table.data.iloc[1:].reset_index(drop=True))
    exhibits = tuple(picked if e.id == "findings" else e for e in plants_neck.exhibits)
    with pytest.raises(DisclosureError, match=r"exhibit 'findings'"):
        clear(replace(plants_neck, exhibits=exhibits), plants)


def test_an_exhibit_cannot_call_its_interval_another(plants: Study, plants_neck: Neck) -> None:
    exhibit = plants_neck.exhibits[0]
    renamed = replace(exhibit, specification={**exhibit.specification, "conf_level": 0.99})
    with pytest.raises(DisclosureError, match=r"exhibit 'coefficients'"):
        clear(replace(plants_neck, exhibits=(renamed, *plants_neck.exhibits[1:])), plants)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("confidentiality", "public"),
        ("protected_unit", "buyer"),
        ("citations", {"value_chains": "Someone else (2020)"}),
    ],
)
def test_data_cannot_be_called_more_open_than_their_record(
    chains: Study, chains_neck: Neck, key: str, value: Any
) -> None:
    opened = replace(chains_neck, protected={**chains_neck.protected, key: value})
    with pytest.raises(DisclosureError, match=r"data/sources/value_chains\.toml.*Run the study"):
        clear(opened, chains)


def test_simulated_findings_cannot_be_called_real(chains: Study, chains_neck: Neck) -> None:
    real = [{**entry, "simulated": False} for entry in chains_neck.findings]
    with pytest.raises(DisclosureError, match="simulated data that does not say so"):
        clear(replace(chains_neck, findings=real), chains)


def test_a_refusal_that_tells_of_few_is_refused(plants: Study, plants_neck: Neck) -> None:
    refused = {e["id"]: e for e in plants_neck.findings if e["direction"] == "refused"}
    few = min(entry["n_entities"] for entry in refused.values())
    checks = check_findings(_restricted(plants_neck), Disclosure(threshold=few + 1))
    failed = {check.output for check in checks if check.verdict == "fail"}
    assert "union_within" in refused
    assert failed & set(refused)
    assert not {
        check.output
        for check in check_findings(_restricted(plants_neck), Disclosure(threshold=few))
        if check.verdict == "fail" and check.output in refused
    }
