"""The noun of the room, and its makers: findings become figures and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from evidence.errors import ExhibitError
from evidence.exhibits.path import follow_path
from evidence.findings import Finding
from evidence.models import Fit

COLUMNS = (
    "finding", "claim", "case", "design", "direction", "outcome", "exposure", "moderator",
    "estimate",
    "conf_low", "conf_high", "unit", "n_entities", "first_period", "last_period", "reference",
    "contributors",
)  # fmt: skip
"""Columns of what shows findings."""


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
        names = [str(name) for name in self.data.columns]
        columns = [column.tolist() for _, column in self.data.items()]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    @property
    def form(self) -> str:
        """How it is drawn or laid out: ``drawn_as`` where there is one, else its kind."""
        return str(self.specification.get("drawn_as", self.specification["kind"]))


def figure_coefficients(
    shown: tuple[Finding, ...] | Fit, *, drawn_as: Literal["rows", "map"] = "rows"
) -> Exhibit:
    """Show the estimates that share outcome and unit with the first estimated claim.

    Parameters
    ----------
    shown : tuple of Finding, or Fit
        A fit of a staggered adoption gives its path: an estimate a period since adoption.
    drawn_as : {"rows", "map"}
        Rows of dots and intervals, or tiles of the countries in their rough places; the
        tiles show the first claim alone.

    Raises
    ------
    ExhibitError
        Where no finding has an estimate, or a fit has no path.
    """
    if isinstance(shown, Fit):
        return Exhibit("path", *follow_path(shown))
    rows = _rows(shown)
    told = rows[rows["estimate"].notna()]
    if told.empty:
        raise ExhibitError(
            "figure_coefficients",
            seen="no finding with an estimate",
            expected="at least one",
            do="Give the study a claim that its design can speak about.",
        )
    first = told.iloc[0]
    alike = told[(told["outcome"] == first["outcome"]) & (told["unit"] == first["unit"])]
    specification = {"kind": "coefficients", "conf_level": shown[0].conf_level}
    if drawn_as == "rows":
        return Exhibit("coefficients", specification, alike.reset_index(drop=True))
    alone = alike[alike["claim"] == first["claim"]].reset_index(drop=True)
    return Exhibit("map", {**specification, "drawn_as": "map"}, alone)


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
            **{name: getattr(f, name) for name in COLUMNS[1:15]},
            "finding": f.id,
            "reference": f.true_effect,
            "contributors": f.contributors,
        }
        for f in findings
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"contributors": "Int64"})
