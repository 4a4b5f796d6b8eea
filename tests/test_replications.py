"""Published tables, repeated by a study's specifications with role replication."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from conftest import ROOT
from evidence.models import fit
from samples import Section, declare, make_panel, specify

SHARED = ROOT.parent / "shared" / "data" / "did_reference"

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there"),
]

FIRMS = (
    declare("firm", "entity", "factory"),
    declare("year", "time", "factory"),
    declare("log_emp", "outcome", "factory", "log points"),
    declare("log_wage", "exposure", "factory", "log points"),
    declare("log_capital", "control", "factory", "log points"),
    declare("log_output", "control", "factory", "log points"),
)
COUNTIES = (
    declare("county", "entity", "factory"),
    declare("year", "time", "factory"),
    declare("lemp", "outcome", "factory", "log points"),
    declare("raised", "exposure", "factory", "indicator"),
)
TABLE_4B = {
    "lag1_log_emp": "0.474",
    "lag2_log_emp": "-0.053",
    "log_wage": "-0.513",
    "lag1_log_wage": "0.225",
    "log_capital": "0.293",
    "log_output": "0.610",
    "lag1_log_output": "-0.446",
}
"""Arellano and Bond (1991), Table 4, column (b): coefficients, two steps."""


def _rows(
    folder: Path, frame: pd.DataFrame, variables: tuple[Section, ...], spec: Section
) -> pd.DataFrame:
    plain = {**specify("plain", "pooled_ols", spec["exposure"]), "outcome": spec["outcome"]}  # type: ignore[arg-type]
    panel = make_panel(folder, frame, variables, [plain, spec])
    table = fit(panel, "s").estimates
    assert table["role"].unique().tolist() == ["replication"]
    return table.set_index("term")


def test_arellano_and_bond_table_4b(tmp_path: Path) -> None:
    spec = {
        **specify("s", "difference_gmm", "log_wage", controls=["log_capital", "log_output"]),
        "outcome": "log_emp",
        "effects": ["time"],
        "lags": 2,
        "regressor_lags": {"log_wage": 1, "log_output": 1},
        "role": "replication",
        "published": "Arellano and Bond (1991), Table 4, column (b)",
    }
    frame = pd.read_csv(SHARED / "empluk_arellano_bond.csv").drop(columns="sector")
    table = _rows(tmp_path, frame, FIRMS, spec)
    assert {term: f"{table['estimate'][term]:.3f}" for term in table.index} == TABLE_4B
    # Windmeijer's errors are not in the paper; plm 2.6.2 prints 0.185398 for the first lag.
    assert f"{table['std_error']['lag1_log_emp']:.6f}" == "0.185398"
    assert (table["nobs"] == 611).all()
    assert (table["n_clusters"] == 140).all()


@pytest.mark.parametrize("control", ["never", "not_yet"])
def test_minimum_wages_and_teen_employment(tmp_path: Path, control: str) -> None:
    """R's did on mpdta without covariates: the simple and the dynamic averages."""
    frame = pd.read_csv(SHARED / "mpdta.csv").rename(columns={"countyreal": "county"})
    start = frame["first.treat"]
    frame["raised"] = ((start > 0) & (frame["year"] >= start)).astype(int)
    spec = {
        **specify("s", "callaway_santanna", "raised", compared_with=control, role="replication"),
        "outcome": "lemp",
        "published": "Callaway and Sant'Anna (2021), as computed by R's did",
    }
    columns = ["county", "year", "lemp", "raised"]
    table = _rows(tmp_path, frame[columns], COUNTIES, spec)
    reference = pd.read_csv(SHARED / "ref_aggte.csv")
    scenario = {"never": "mpdta_nev_dr", "not_yet": "mpdta_nyt_dr"}[control]
    told = reference[reference["scenario"] == scenario].set_index(["type"])
    simple = told.loc[["simple"]].iloc[0]
    assert table["estimate"]["raised"] == pytest.approx(simple["overall_att"], abs=1e-12)
    assert table["std_error"]["raised"] == pytest.approx(simple["overall_se"], rel=1e-9)
    for row in told.loc[["dynamic"]].itertuples():
        term = f"raised event {row.egt:.0f}"
        assert table["estimate"][term] == pytest.approx(row.att_egt, abs=1e-12)
        assert table["std_error"][term] == pytest.approx(row.se_egt, rel=1e-9)
