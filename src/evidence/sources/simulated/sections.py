"""What a simulated source declares: factories with their questionnaire, or equations."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from evidence.toml import strict

_Share = Annotated[float, Field(ge=0, lt=1)]


@strict
class Point:
    """A compliance point of the simulated questionnaire.

    ``rate`` is the share of factories with at least one finding on the point;
    ``basis`` says where the rate comes from; ``institution`` names the exposure that
    the point itself describes, if any.
    """

    id: str
    cluster: str
    rate: _Share
    basis: str
    items: Annotated[int, Field(ge=1)] = 3
    institution: str = ""
    rates: dict[str, _Share] = field(default_factory=dict)


@strict
class Pathway:
    """What a finding on ``point`` goes before, among the other points of ``cluster``.

    ``remedy`` is a log hazard ratio of the remedy of findings that are first seen beside it;
    ``onset`` is added, as a share of it, to the chance of a finding at the next assessment.
    """

    point: str
    cluster: str
    remedy: float = 0.0
    onset: Annotated[float, Field(ge=0)] = 0.0


@strict
class Remedy:
    """How findings stay from assessment to assessment; see ``follow_findings``.

    ``daily`` is the hazard of a remedy on each day, without any institution; ``effects``
    are log hazard ratios of what a factory has on the day on which a finding is first
    seen. ``onset`` is the share of its rate with which a clean question has a finding at
    the next assessment. ``reported`` is the share of remedies of which the factory tells
    the day, ``claimed`` the share of standing findings that it says are remedied.
    """

    basis: str
    daily: Annotated[float, Field(gt=0, lt=1)] = 0.002
    onset: _Share = 0.5
    effects: dict[str, float] = field(default_factory=dict)
    pathways: tuple[Pathway, ...] = ()
    reported: _Share = 0.6
    claimed: _Share = 0.1


@strict
class SimulatedCase:
    """True effects of one country × sector.

    ``noncompliance`` holds relative effects on every item's probability;
    ``productivity`` holds effects on log output per hour, in log points.
    """

    country: str
    sector: str
    factories: Annotated[int, Field(ge=10)]
    noncompliance: dict[str, float]
    productivity: dict[str, float]


@strict
class Simulation:
    """Parameters of the simulated factories; see ``simulate_factories``.

    Without ``remedy`` each year's findings are drawn by themselves.
    """

    seed: int
    first_year: int
    years: Annotated[int, Field(ge=3)]
    prevalence: dict[str, Annotated[float, Field(gt=0, le=0.65)]]
    points: tuple[Point, ...]
    cases: tuple[SimulatedCase, ...]
    remedy: Remedy | None = None


@strict
class Group:
    """What entities belong to: a buyer, a country, a home of buyers.

    ``members`` are named, or ``count`` of them are numbered. Entities are spread over the
    members evenly; where groups are ``crossed``, each combination has its own entities.
    """

    name: str
    members: tuple[str, ...] = ()
    count: Annotated[int, Field(ge=0)] = 0
    crossed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names."""
        return self.members or tuple(f"{self.name}-{n:02d}" for n in range(1, self.count + 1))


@strict
class Equation:
    """How a column is drawn; ``simulate_equations`` has the formula.

    ``effects`` are on the linear index, of earlier columns, ``lag1_`` any column, or the
    product ``a:b`` of two; ``spread`` holds standard deviations of normal parts by what they
    vary with (``entity``, ``time``, a group, or ``a:b``); ``memory`` carries the part of
    ``entity:time`` from period to period. ``of`` is the number of questions behind a share,
    ``at`` the value from which a threshold on ``column`` holds, ``always`` the share of those
    who have an adopted thing from the start, ``starts`` the period from which each member of
    the group ``by`` has it. ``by`` names what chance or adoption varies with. ``basis`` says
    where the numbers come from.
    """

    name: str
    kind: Literal["number", "positive", "share", "flag", "count", "adoption", "event", "threshold"]
    basis: str
    mean: float = 0.0
    trend: float = 0.0
    effects: dict[str, float] = field(default_factory=dict)
    spread: dict[str, Annotated[float, Field(ge=0)]] = field(default_factory=dict)
    memory: Annotated[float, Field(ge=0, lt=1)] = 0.0
    of: Annotated[int, Field(ge=1)] = 100
    by: str = ""
    always: _Share = 0.0
    starts: dict[str, int] = field(default_factory=dict)
    column: str = ""
    at: float = 0.0


@strict
class EquationCase:
    """One case of ``[cases]``: how many entities, and the effects in which it differs."""

    country: str
    sector: str
    entities: Annotated[int, Field(ge=1)]
    effects: dict[str, dict[str, float]] = field(default_factory=dict)


@strict
class Equations:
    """A panel of entities and periods, column by column.

    ``entities`` is their number, of each combination where groups are crossed. An entity
    is in the data for ``shortest`` to all periods (0: always all), and until the flag
    ``exit`` holds for the first time.
    """

    seed: int
    entity: str
    time: str
    first_period: int
    periods: Annotated[int, Field(ge=2)]
    columns: Annotated[tuple[Equation, ...], Field(min_length=1)]
    entities: Annotated[int, Field(ge=1)] = 1
    groups: tuple[Group, ...] = ()
    shortest: Annotated[int, Field(ge=0)] = 0
    exit: str = ""
    cases: tuple[EquationCase, ...] = ()
