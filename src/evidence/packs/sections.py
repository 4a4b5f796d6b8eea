"""The sections of a pack: what each key may hold."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal, get_args

from pydantic import Field

from evidence.toml import strict

Words = dict[str, str]
"""A text in several languages, by language code."""

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Iso3 = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Day = Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Institution = Literal["union", "committee", "agreement", "grievance"]
Mode = Literal["on_site", "virtual", "self"]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Named = Annotated[Words, Field(min_length=1)]
Written = Annotated[str, Field(min_length=1)]
PartOfDay = Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
"""A year, a month of one, or a day, as exactly as a source tells it."""


@strict
class Ratio:
    """A measure that is a product over a product, such as line efficiency.

    The value is ``times`` × the product of the columns ``over`` / the product of the
    columns ``under``. ``basis`` names the column that says on which basis it was
    taken (of SAM, for instance): a factory whose basis changes cannot be followed.
    ``institution`` names the dialogue institutions that it describes, if any.
    """

    id: Slug
    unit: str
    over: Annotated[tuple[Slug, ...], Field(min_length=1)]
    under: tuple[Slug, ...] = ()
    times: float = 1.0
    better: Literal["higher", "lower"] = "higher"
    basis: str = ""
    institution: tuple[Institution, ...] = ()
    name: Words = field(default_factory=dict)
    source: str = ""


@strict
class Country:
    """A country pack: ISO 3166 alpha-3 code, names, sectors of the programme.

    ``spelled`` lists further spellings that files of the country use. ``place`` is a rough
    longitude and latitude in degrees, for where a country's tile stands beside others.
    """

    iso3: Iso3
    name: Named
    sectors: tuple[Slug, ...]
    spelled: tuple[str, ...] = ()
    place: tuple[Longitude, Latitude] | None = None


@strict
class Sector:
    """A sector pack: id, names, and the productivity measures that it knows."""

    id: Slug
    name: Named
    measures: tuple[Ratio, ...] = ()


@strict
class Version:
    """One version of a tool in some countries (all, if none is named).

    ``first_day`` is the first assessment day of the version there; it lasts until the
    next one begins. A version that returns stands again with its new first day.
    """

    id: str
    first_day: Day = ""
    countries: tuple[Iso3, ...] = ()
    mode: Mode = "on_site"
    note: str = ""
    source: str = ""


@strict
class Cluster:
    """One of the tool's clusters; ``spelled`` is how files write it."""

    id: Slug
    name: Named
    group: Literal["core labour standards", "working conditions"]
    spelled: tuple[str, ...] = ()
    provenance: Literal["source", "background", "assumed"] = "source"
    source: str = ""


@strict
class Point:
    """A compliance point of a cluster.

    ``institution`` names the dialogue institutions that the whole point describes.
    ``provenance`` says whether its name was read in a named source, is background
    knowledge to be verified, or was assumed.
    """

    id: Slug
    cluster: Slug
    name: Named
    provenance: Literal["source", "background", "assumed"]
    spelled: tuple[str, ...] = ()
    institution: tuple[Institution, ...] = ()
    source: str = ""


@strict
class Asked:
    """Where, in which version and mode a question was asked, and under which code.

    Empty lists mean everywhere. An empty ``code`` is the question's own id.
    """

    code: str = ""
    countries: tuple[Iso3, ...] = ()
    versions: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = ()
    wording: str = ""


@strict
class Question:
    """A question that stays the same thing through versions, countries and modes.

    ``institution`` names the dialogue institutions that it describes; ``critical``
    the countries in whose list of critical issues it stands.
    """

    id: Annotated[str, Field(min_length=1)]
    point: Slug
    name: Words = field(default_factory=dict)
    institution: tuple[Institution, ...] = ()
    critical: tuple[Iso3, ...] = ()
    public: bool = False
    basis: Literal["law", "benchmark"] = "law"
    provenance: Literal["source", "background", "assumed"] = "source"
    source: str = ""
    asked: tuple[Asked, ...] = ()


@strict
class Index:
    """A dialogue index: the share of its parts that hold (0 to 1).

    Parts are questions, whole points (a question without a finding holds) or columns
    of a table (a flag of 1 holds). Where fewer than ``least_answered`` of the parts
    have an answer the index is missing.
    """

    id: Slug
    institution: Annotated[tuple[Institution, ...], Field(min_length=1)]
    name: Words = field(default_factory=dict)
    questions: tuple[str, ...] = ()
    points: tuple[Slug, ...] = ()
    columns: tuple[Slug, ...] = ()
    least_answered: Annotated[float, Field(gt=0, le=1)] = 0.5
    source: str = ""


@strict
class Pair:
    """The same question put to managers and to workers: on paper, and known.

    ``manager`` and ``worker`` are flag columns of a table a factory and period and of
    one a worker.
    """

    id: Slug
    institution: Annotated[tuple[Institution, ...], Field(min_length=1)]
    manager: Slug
    worker: Slug
    name: Words = field(default_factory=dict)
    source: str = ""


@strict
class Questionnaire:
    """A tool with its versions, and the crosswalk of its questions through them."""

    id: Slug
    title: str
    source: str
    clusters: Annotated[tuple[Cluster, ...], Field(min_length=1)]
    points: Annotated[tuple[Point, ...], Field(min_length=1)]
    versions: tuple[Version, ...] = ()
    questions: tuple[Question, ...] = ()
    indices: tuple[Index, ...] = ()
    measures: tuple[Ratio, ...] = ()
    pairs: tuple[Pair, ...] = ()


@strict
class LawVersion:
    """What a rule asks from a day on: at least, at most, or neither yet.

    ``provenance`` says whether day and number were read in a named source.
    """

    in_force: Annotated[Day, Field(min_length=10)]
    at_least: float | None = None
    at_most: float | None = None
    name: str = ""
    provenance: Literal["source", "background", "assumed"] = "source"
    source: str = ""


@strict
class Rule:
    """A rule of law that decides questions of a questionnaire.

    The quantity that it judges is the numeric ``answer`` of those questions, in
    ``unit``.
    """

    id: Slug
    questions: Annotated[tuple[str, ...], Field(min_length=1)]
    unit: str
    versions: Annotated[tuple[LawVersion, ...], Field(min_length=1)]
    name: Words = field(default_factory=dict)
    provenance: Literal["source", "background", "assumed"] = "source"


@strict
class Law:
    """A country's rules, each with its versions and the day each came into force."""

    country: Iso3
    rules: tuple[Rule, ...] = ()


Step = Literal["announced", "adopted", "in_force", "held", "ended"]
STEPS: tuple[Step, ...] = get_args(Step)
"""Steps of a policy event; ``held`` is for what happens once, a survey or an accident."""


@strict
class Dating:
    """One source's date of one step of an event.

    Sources that differ stand beside each other, an entry each. ``places`` names the places
    that the date is for; without them, the whole reach of the event. ``provenance`` is
    ``secondary`` where the date was read elsewhere and the primary source (act, gazette, page of
    the ministry) was not seen.
    """

    step: Step
    date: PartOfDay
    source: Written
    places: tuple[Written, ...] = ()
    provenance: Literal["source", "secondary", "background", "assumed"] = "source"


@strict
class Figure:
    """A published number with the sampling frame that it is a share of."""

    what: Written
    value: float
    unit: Written
    frame: Written
    source: Written
    approximate: bool = False


@strict
class PolicyEvent:
    """A policy event at home (where buyers sit) or in the host country (of the factories).

    ``country`` is ISO 3166 alpha-3, empty for an invented one. ``column`` of the data says
    which rows it reaches: those whose value is among a date's ``places``, else ``country``.
    ``dose`` names the column that says how much of the event a row gets, ``dose_note`` in
    words. ``cutoffs`` are sizes in workers from which another rule holds. A ``placebo`` never
    came into force: an analysis that finds it has found something else.
    """

    id: Slug
    side: Literal["home", "host"]
    name: Named
    dates: tuple[Dating, ...] = ()
    country: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    column: Slug = "country"
    dose: str = ""
    dose_note: str = ""
    cutoffs: tuple[float, ...] = ()
    placebo: bool = False
    note: str = ""
    figures: tuple[Figure, ...] = ()
