"""The sections of a study file: what each key may hold."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from evidence.packs import Slug, Words
from evidence.toml import strict

LEVELS = ("worker", "line", "factory-cycle", "factory", "buyer", "sector", "region", "country")
"""Levels of variation, finest first."""

Audience = Literal["government", "workers", "employers", "buyers", "public"]
Language = Literal["en", "ja", "vi", "km", "bn"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
"""Languages that a brief may be in."""

Level = Literal[
    "worker", "line", "factory-cycle", "factory", "buyer", "sector", "region", "country"
]


def _one_or_many(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1)]
Names = Annotated[str | tuple[str, ...], AfterValidator(_one_or_many)]


@strict
class Heading:
    """Who the study is: slug (its folder), title, question, the programme's lines it is part of."""

    slug: Slug
    title: Text
    question: Text
    lines: tuple[Slug, ...] = ()


@strict
class Data:
    """Which sources the study reads, by the id of their records."""

    sources: Annotated[tuple[Slug, ...], Field(min_length=1)]


@strict
class Scale:
    """The ends of a score: what is best and what is worst. A score may rise as things get worse."""

    best: float
    worst: float


@strict
class Variable:
    """A column with its part in the study, level of variation and unit.

    ``label`` and ``noun`` are words for readers, a language each; ``noun`` holds
    singular and plural of the entity. ``institution`` names the dialogue institutions
    that an exposure describes, where its name alone does not tell: questions on them
    are left out of compliance outcomes. ``scale`` has the ends of an outcome in ``score``.
    """

    name: Slug
    role: Literal["entity", "time", "outcome", "exposure", "control", "cluster"]
    level: Level
    unit: Text
    label: Words = field(default_factory=dict)
    noun: dict[str, tuple[str, str]] = field(default_factory=dict)
    institution: tuple[Slug, ...] = ()
    scale: Scale | None = None


Estimator = Literal[
    "pooled_ols", "between", "random_effects", "fixed_effects", "first_differences", "mundlak",
    "iv_2sls", "iv_liml", "iv_gmm", "difference_gmm", "system_gmm", "poisson", "fractional",
    "callaway_santanna", "sun_abraham", "imputation", "pooled_cells", "shift_share",
    "interval_censored",
]  # fmt: skip


@strict
class Specification:
    """One regression: who estimates what on what, and how it is inferred.

    ``effects`` are ``entity``, ``time``, a cluster variable, or two of them as ``a:b``.
    ``clusters`` is a level of variation; empty means the level of the exposure.
    ``convention`` names the small-sample convention of least squares; empty is fixest's,
    in a replication Stata's. ``instruments`` are for the exposures of an ``iv_``
    estimator; ``lags`` (of the outcome), ``regressor_lags``, ``predetermined``,
    ``endogenous``, ``steps`` and ``collapse`` for GMM of a dynamic panel; ``compared_with``
    for staggered adoption, whose exposure is 0/1. With ``pooled_cells`` the units of ``clusters``
    are the cells. ``moderators`` are the variables, declared beforehand, with which a
    difference may differ. ``shares`` are the fixed weights of a ``shift_share`` exposure, a
    variable a shock's unit. ``published`` cites the table that a replication reproduces.
    """

    id: Slug
    notebook: Text
    estimator: Estimator
    outcome: Slug
    exposure: Names
    controls: tuple[Slug, ...] = ()
    effects: tuple[Text, ...] = ()
    clusters: Literal[
        "", "worker", "line", "factory-cycle", "factory", "buyer", "sector", "region", "country"
    ] = ""
    role: Literal["headline", "robustness", "placebo", "replication"] = "headline"
    published: str = ""
    convention: Literal["", "fixest", "stata", "linearmodels"] = ""
    instruments: tuple[Slug, ...] = ()
    lags: Annotated[int, Field(ge=1)] = 1
    regressor_lags: dict[Slug, Annotated[int, Field(ge=1)]] = field(default_factory=dict)
    predetermined: tuple[Slug, ...] = ()
    endogenous: tuple[Slug, ...] = ()
    steps: Literal[1, 2] = 2
    collapse: bool = False
    compared_with: Literal["never", "not_yet"] = "never"
    moderators: tuple[Slug, ...] = ()
    shares: tuple[Slug, ...] = ()

    @property
    def exposures(self) -> tuple[str, ...]:
        """Names of the exposures, one or more."""
        return _one_or_many(self.exposure)

    @property
    def regressors(self) -> tuple[str, ...]:
        """Exposures and controls, in the order of the file."""
        return (*self.exposures, *self.controls)

    @property
    def interactions(self) -> tuple[str, ...]:
        """Terms of exposures with moderators, ``exposure:moderator``."""
        return tuple(f"{x}:{m}" for x in self.exposures for m in self.moderators)


def takes_out_calendar(effects: Sequence[str]) -> bool:
    """Tell whether effects take out what changes for all in a period, or for all of a group."""
    return any("time" in effect.split(":") for effect in effects)


@strict
class Claim:
    """What a brief may say: one exposure's coefficient of one specification.

    With a ``moderator``: how that coefficient differs with it.
    """

    id: Slug
    specification: Slug
    exposure: str = ""
    moderator: str = ""
    sdg: tuple[str, ...] = ()


@strict
class Entry:
    """Who is in the panel: by count of periods, and by certainty of its identity.

    ``least_periods`` is the entry rule: Cambodia's public reporting lists a factory
    from its second assessment. ``uncertain_matches`` takes factories in whose match
    with the register waits for a person's decision, or leaves them out.
    """

    least_periods: Annotated[int, Field(ge=1)] = 1
    uncertain_matches: Literal["in", "out"] = "out"


Rule = Literal[
    "threshold", "dominance", "p-ratio", "dof", "zeros", "endpoints", "percentiles", "contributors",
    "events", "workers", "differencing", "suppression",
]  # fmt: skip
"""Names of the gate's rules that a person may ask an exception from."""


@strict
class Waiver:
    """A request for an exception: what from which rule, in which role, why.

    ``output`` is a finding's id, a table's id (all its cells) with or without its cell's
    label behind a slash, or ``<case>/<specification>``.
    """

    output: Text
    rule: Rule
    requested_by: Text
    reason: Text


@strict
class Disclosure:
    """The rules of the data agreement, by ACRO's names and with its defaults.

    ``threshold`` is the least count of contributors; the ``nk_n`` largest may hold no
    more than ``nk_k`` of a total; what is left beside the two largest must be
    ``p_ratio`` of the largest or more; ``dof`` is the least of residual degrees of
    freedom. ``remedies`` may be applied by the gate, in the order merge, round,
    suppress; ``round_to`` is the base of rounded counts.
    """

    threshold: Annotated[int, Field(ge=3)] = 10
    nk_n: Literal[1, 2] = 2
    nk_k: Annotated[float, Field(gt=0, lt=1)] = 0.9
    p_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.1
    dof: Annotated[int, Field(ge=1)] = 10
    zeros_are_disclosive: bool = True
    remedies: tuple[Literal["merge", "round", "suppress"], ...] = ()
    round_to: Annotated[int, Field(ge=3)] = 5
    exceptions: tuple[Waiver, ...] = ()


@strict
class Prose:
    """What the author writes in one language; numbers only as placeholders.

    ``question`` is for languages other than the first, in which ``study.question`` stands.
    """

    title: str = ""
    question: str = ""
    background: str = ""
    limits: tuple[str, ...] = ()


def _check_digits(value: str) -> str:
    """Check an ISBN (ten or thirteen digits) or an ISSN by its check digit."""
    plain = value.replace("-", "").replace(" ", "").upper()
    tens = {8: range(8, 0, -1), 10: range(10, 0, -1)}.get(len(plain))
    digits = [10 if sign == "X" else int(sign) if sign.isdecimal() else -1 for sign in plain]
    weights, modulus = (tens, 11) if tens else ([1, 3] * 6 + [1], 10)
    typed = -1 not in digits and 10 not in digits[:-1] and (10 not in digits or modulus == 11)
    fits = len(weights) == len(digits) and typed
    if value and not (fits and sum(map(operator.mul, digits, weights)) % modulus == 0):
        raise ValueError("a number whose last digit checks the others")
    return value


_Registered = Annotated[str, AfterValidator(_check_digits)]


@strict
class FrontMatter:
    """Who issues the brief, and where its public folder is hosted; all of it is optional.

    ``address`` is the https address under which ``reports/public/`` lies, without a slash at
    its end; where it is given, each version carries a QR code that leads to its page there.
    """

    publisher: str = ""
    series: str = ""
    number: str = ""
    isbn: _Registered = ""
    issn: _Registered = ""
    licence: str = ""
    contact: str = ""
    address: Annotated[
        str, Field(pattern=r"^(?:https://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[A-Za-z0-9._~-]+)*)?$")
    ] = ""


@strict
class Brief:
    """Who reads the brief, in which language.

    Title and question of ``[study]`` are in the first of the languages. ``beside`` lists what
    each language has once, whoever reads: the technical version with its annex, slides, sheets.
    """

    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en",)
    audiences: tuple[Audience, ...] = ("government",)
    beside: tuple[Literal["technical", "slides", "tables"], ...] = ("technical", "slides", "tables")
    text: dict[str, Prose] = field(default_factory=dict)
    imprint: FrontMatter = field(default_factory=FrontMatter)


@strict
class StudyFile:
    """A whole study file."""

    schema_version: Literal[1]
    study: Heading
    data: Data
    variables: Annotated[tuple[Variable, ...], Field(min_length=3)]
    specifications: Annotated[tuple[Specification, ...], Field(min_length=1)]
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    cases: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = field(default_factory=dict)
    panel: Entry = field(default_factory=Entry)
    disclosure: Disclosure = field(default_factory=Disclosure)
    brief: Brief = field(default_factory=Brief)
