"""The noun of the room, and its makers: findings become figures and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evidence.errors import ExhibitError
from evidence.findings import Finding

COLUMNS = (
    "finding", "claim", "case", "design", "direction", "outcome", "exposure", "moderator",
    "estimate",
    "conf_low", "conf_high", "unit", "n_entities", "reference", "contributors",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A figure or table before it is drawn.

    ``data`` has the columns ``COLUMNS``, a row a finding; ``contributors`` counts the
    protected units on the thinnest side of the comparison, ``reference`` is a simulation's true effect.
    ``specification`` holds ``kind`` and what the drawing needs. ``units`` maps the label
    of a table cell → the protected units in it; the neck keeps them for the gate alone.
    """

    id: str
    specification: dict[str, Any]
    data: pd.DataFrame
    units: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The data, a mapping a row."""
        return [{str(k): v for k, v in row.items()} for row in self.data.to_dict("records")]


def figure_coefficients(findings: tuple[Finding, ...]) -> Exhibit:
    """Show the estimates that share outcome and unit with the first estimated claim.

    Raises
    ------
    ExhibitError
        Where no finding has an estimate.
    """
    rows = _rows(findings)
    shown = rows[rows["estimate"].notna()]
    if shown.empty:
        raise ExhibitError(
            "figure_coefficients",
            seen="no finding with an estimate",
            expected="at least one",
            do="Give the study a claim that its design can speak about.",
        )
    first = shown.iloc[0]
    alike = shown[(shown["outcome"] == first["outcome"]) & (shown["unit"] == first["unit"])]
    return Exhibit(
        "coefficients",
        {"kind": "coefficients", "conf_level": findings[0].conf_level},
        alike.reset_index(drop=True),
    )


def table_findings(findings: tuple[Finding, ...]) -> Exhibit:
    """Show every claim: estimate, interval, contributors.

    Raises
    ------
    ExhibitError
        Where there is no finding.
    """
    if not findings:
        raise ExhibitError(
            "table_findings",
            seen="no finding",
            expected="at least one",
            do="Give the study a claim.",
        )
    specification = {"kind": "findings", "conf_level": findings[0].conf_level}
    return Exhibit("findings", specification, _rows(findings))


def _rows(findings: tuple[Finding, ...]) -> pd.DataFrame:
    rows = [
        {
            **{name: getattr(f, name) for name in COLUMNS[1:13]},
            "finding": f.id,
            "reference": f.true_effect,
            "contributors": f.contributors,
        }
        for f in findings
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"contributors": "Int64"})
