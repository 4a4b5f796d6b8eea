"""Does a 95 % interval hold the declared true effect in about 95 of 100 samples?"""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from evidence.measures import score_measures
from evidence.models import fit
from evidence.panel import build_panel
from evidence.sources import Snapshot, load_record, read_sources, simulate_factories
from evidence.study import Claim, Study, list_slugs, load_study
from samples import make_project, study_file

ROOT = Path(__file__).parents[1]
SEEDS = 200
ACCEPTED = range(179, 199)
SPECIFICATIONS = ("compliance_within", "productivity_within", "compliance_next_year")


def _covered(seed: int) -> pd.DataFrame:
    study = load_study(ROOT / "notebooks/studies/value_chains.toml")
    record = load_record(ROOT, "value_chains")
    assert record.simulation is not None
    rows = []
    for case in study.cases:
        raw, truth = simulate_factories(
            record.simulation, case.values["country"], case.values["sector"], seed
        )
        tables = {
            t.name: raw[t.name].rename(columns={c.raw_names[0]: c.name for c in t.columns})
            for t in record.tables
        }
        snapshot = Snapshot(record, tables, "", truth)
        panel = build_panel(study, score_measures(study, (snapshot,)))
        for name in SPECIFICATIONS:
            fitted = fit(panel, name, case=case.id)
            table = fitted.estimates.set_index("term")
            own = truth[fitted.specification.outcome]
            if fitted.specification.role == "placebo":
                own = dict.fromkeys(fitted.specification.exposures, 0.0)
            for term, effect in own.items():
                low, high = (float(table[end][term]) for end in ("conf_low", "conf_high"))
                rows.append((case.id, name, term, low <= effect <= high))
    return pd.DataFrame(rows, columns=["case", "specification", "term", "covered"])


@pytest.mark.slow
def test_each_true_effect_lies_in_its_interval_179_to_198_times_of_200() -> None:
    with ProcessPoolExecutor(2) as pool:
        draws = pd.concat(pool.map(_covered, range(SEEDS), chunksize=5))
    counts = draws.groupby(["case", "specification", "term"])["covered"].sum()
    print(counts.to_string())
    assert len(counts) == 7 * (2 * 4 + 1)
    outside = counts[~counts.isin(ACCEPTED)]
    assert outside.empty, outside.to_string()


# What each claim has to hold: a number of the record, or what it declares as the true effect.
DECLARED = None
HELD: dict[str, dict[str, float | None]] = {
    "buyers": {
        "lead_time_within": DECLARED,
        "stability_within": DECLARED,
        "lead_time_japanese": -0.01,
        "stability_japanese": 0.0,
    },
    "course_employers": {"committee_within": DECLARED},
    "course_ministry": {"advice_within": DECLARED},
    "course_unions": {"committee_within": DECLARED},
    "dialogue_and_compliance": {
        "committee_within": DECLARED,
        "agreement_within": DECLARED,
        "union_within": DECLARED,
    },
    "dialogue_and_productivity": {
        "productivity": DECLARED,
        "compliance": DECLARED,
        "turnover": DECLARED,
        "orders": DECLARED,
        "absenteeism": DECLARED,
        "beside_compliance": 0.05,
    },
    "good_practice": {
        "meetings_within": DECLARED,
        "elected_within": DECLARED,
        "plan_ahead": 0.0,
    },
    "home_host": {"home_rules_within": DECLARED, "home_rules_committee": -0.003},
    "policy_events": {"rule_in_force": DECLARED},
    "remediation": {
        "committee_verified": DECLARED,
        "grievance_verified": DECLARED,
        "union_verified": DECLARED,
    },
    "reporting": {
        "virtual_gap": DECLARED,
        "virtual_found": DECLARED,
        "union_gap": DECLARED,
        "auditor_found": DECLARED,
        "auditor_days": DECLARED,
    },
    "root_causes": {"management_remedies": DECLARED, "committee_remedies": DECLARED},
    "synthesis": {"committee_compiled": DECLARED},
}
# Claims of these studies that estimate something else than a declared effect: pooled on purpose,
# parts of an outcome, claims that nobody checked, what those ahead of their peers do.
NOT_DECLARED = {
    "committee_pooled", "committee_safety", "committee_compensation", "committee_working_time",
    "committee_contracts", "closing", "productivity_pooled", "meetings_ahead", "elected_ahead",
    "grievance_ahead", "rule_announced", "committee_reported", "management_repeated",
}  # fmt: skip
DRAWS = 100
MOST_MISSES = int(stats.binom.ppf(0.99, DRAWS, 0.05))


def _is_placebo(study: Study, claim: Claim) -> bool:
    return study.specification(claim.specification).role == "placebo"


def _judge(
    study: Study, claim: Claim, snapshots: tuple[Snapshot, ...], told: pd.DataFrame
) -> dict[str, Any]:
    """Say whether a claim's interval holds its truth; that of a placebo is zero."""
    specification = study.specification(claim.specification)
    exposure = claim.exposure or specification.exposures[0]
    value = HELD[study.slug].get(claim.id, DECLARED)
    if _is_placebo(study, claim):
        truth = 0.0
    elif value is DECLARED:
        truth = snapshots[0].truth[specification.outcome][exposure]
    else:
        truth = value
    row = told.loc[f"{exposure}:{claim.moderator}" if claim.moderator else exposure]
    return {
        "study": study.slug,
        "claim": claim.id,
        "placebo": _is_placebo(study, claim),
        "truth": truth,
        "mean": row["estimate"],
        "std_error": row["std_error"],
        "missed": not row["conf_low"] <= truth <= row["conf_high"],
    }


def _draw_study(study: Study, seed: int) -> list[dict[str, Any]]:
    case = study.cases[0]
    snapshots = read_sources(study, case, seed)
    panel = build_panel(study, score_measures(study, snapshots))
    claims = [c for c in study.claims if c.id in HELD[study.slug] or _is_placebo(study, c)]
    tables = {
        name: fit(panel, name, case=case.id).estimates.set_index("term")
        for name in dict.fromkeys(claim.specification for claim in claims)
    }
    return [_judge(study, c, snapshots, tables[c.specification]) for c in claims]


def test_every_claim_on_simulated_data_is_held_to_its_truth_or_named() -> None:
    for slug in list_slugs(ROOT):
        study = load_study(study_file(ROOT, slug))
        records = [load_record(ROOT, source) for source in study.data.sources]
        if slug == "value_chains" or any(record.kind != "simulated" for record in records):
            continue
        claims = {claim.id for claim in study.claims if not _is_placebo(study, claim)}
        assert set(HELD[slug]) <= claims
        assert claims - set(HELD[slug]) <= NOT_DECLARED, slug
        assert len(claims) < len(study.claims), slug


@pytest.mark.slow
def test_each_studys_claims_hold_their_truth_and_placebos_find_nothing(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    studies = [load_study(study_file(root, slug)) for slug in HELD]
    rows = []
    for seed in range(DRAWS):
        for study in studies:
            rows += _draw_study(study, seed)
        shutil.rmtree(root / "data/raw")
    draws = pd.DataFrame(rows)
    told = draws.groupby(["study", "claim", "placebo"], sort=False).agg(
        truth=("truth", "first"),
        mean=("mean", "mean"),
        spread=("mean", "std"),
        std_error=("std_error", "mean"),
        missed=("missed", "sum"),
    )
    print(told.round(4).to_string())
    outside = told[told["missed"] > MOST_MISSES]
    assert outside.empty, outside.to_string()
