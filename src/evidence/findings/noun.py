"""The noun of the room: a graded statement without words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Direction = Literal["decrease", "increase", "unclear", "unproven", "untested", "refused"]
"""What an estimate says; ``unproven`` where its interval leaves zero out, but too few
clusters or a weak instrument carry it."""


@dataclass(frozen=True, slots=True)
class Grade:
    """How far a finding carries: label, Maryland level, and every reason.

    Levels follow the Maryland scientific methods scale (Farrington et al. 2002): 1 for a raw
    comparison, 2 for one with controls, 3 for change within units over a common calendar.
    """

    label: str
    level: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim in one case.

    ``estimate``, ``conf_low`` and ``conf_high`` are in ``unit``: ``percent`` (relative
    change of the outcome), ``percentage points`` or the outcome's own unit. They are
    ``None`` where ``reason`` says that the design cannot speak. ``wording`` names the words
    that design and grade have earned. ``nobs`` counts rows (assessments), ``n_carrying``
    the clusters, ``contributors`` the protected units on the thinnest side of the
    comparison. ``moderator`` is the variable with which the difference itself differs.

    ``rows`` are the rows of ``estimates.csv`` that it stands on, its own first, each with
    the hash of what it says. ``robustness`` holds ``n_specifications, n_same_sign``: the study's other estimates of
    the same exposure and outcome. ``family`` holds ``n_tests, p_adjusted``: the claims
    tested together (Benjamini and Hochberg 1995). ``attrition`` is the share of entities
    that are gone before the last period; ``pretrends`` says whether those that change moved
    in parallel with the others before. ``checks`` are the design's own tests: name, value,
    p_value, reason, and whether they ``failed``.
    """

    id: str
    claim: str
    case: str
    place: dict[str, str]
    design: str
    wording: str
    direction: Direction
    outcome: str
    exposure: str
    moderator: str
    contrast: Literal["indicator", "unit"]
    estimate: float | None
    conf_low: float | None
    conf_high: float | None
    conf_level: float
    p_value: float | None
    unit: str
    nobs: int
    n_entities: int
    n_periods: int
    n_clusters: int | None
    n_carrying: int | None
    contributors: int | None
    level: str
    effects: tuple[str, ...]
    controls: tuple[str, ...]
    cov_type: str
    first_period: int
    last_period: int
    within_share: float
    robustness: dict[str, int]
    family: dict[str, Any]
    attrition: float
    pretrends: Literal["parallel", "apart", "unknown"]
    checks: tuple[dict[str, Any], ...]
    grade: Grade
    rows: tuple[dict[str, str], ...]
    items_left_out: tuple[str, ...]
    definition: dict[str, str]
    sdg: tuple[str, ...]
    data: dict[str, str]
    simulated: bool
    true_effect: float | None
    reason: str


def as_entry(finding: Finding) -> dict[str, Any]:
    """Turn a finding into its entry of ``findings.json``."""
    return {"kind": "finding", **asdict(finding)}
