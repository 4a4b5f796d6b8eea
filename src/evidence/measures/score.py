"""Score every declared variable of a study from its snapshots."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import pandas as pd

from evidence.errors import MeasureError
from evidence.measures.coding import cross, encode, list_distinct, list_levels
from evidence.measures.compliance import Outcome, list_items, name_outcome, score_compliance
from evidence.measures.crosswalk import Answers, Step, map_tables
from evidence.measures.derive import Tables, derive, list_bases, strip_transforms
from evidence.measures.dialogue import institutions_of, items_of, list_institutions
from evidence.measures.events import names_event
from evidence.measures.joining import (
    ANSWERS,
    CLOCKS,
    DAY,
    IN_FIRST,
    PLACES,
    check_countries,
    follow,
    join_tables,
)
from evidence.measures.productivity import score_productivity
from evidence.measures.remediation import (
    RemedyRate,
    follow_remedies,
    name_remedy_rate,
    rate_remedies,
)
from evidence.packs import (
    Law,
    Questionnaire,
    Sector,
    load_events,
    load_law,
    load_questionnaire,
    load_sector,
)
from evidence.sources import Provenance, Snapshot, combine_origins
from evidence.study import Study

_DEFAULT = "noncompliance"


@dataclass(frozen=True, slots=True)
class Measures:
    """Measured records: a row an entity and period, all declared variables.

    Where the data hold days, the two clocks ``months_since_enrolment`` and
    ``calendar_month`` (months since January 1970) stand beside them.
    ``items_left_out`` names the questions that describe an exposure and are
    therefore no part of a compliance outcome; ``steps`` counts rows from file to
    record (columns ``step, rows, reason``): from ``answers`` to ``answered`` each line
    has the rows that are left, so that the differences are the rows lost;
    ``definitions`` says what each compliance outcome counts (``counted, part, law, items,
    day``: codes that the language room words, and the day of a fixed yardstick); ``answers`` are
    those that were scored, if any; ``spells`` has, by the name of a rate of remedy, the
    findings that it follows (``follow_remedies``).
    """

    data: pd.DataFrame
    items_left_out: tuple[str, ...]
    steps: pd.DataFrame
    provenance: Provenance
    definitions: dict[str, dict[str, str]] = field(default_factory=dict)
    answers: Answers | None = None
    spells: dict[str, pd.DataFrame] = field(default_factory=dict)


def score_measures(study: Study, snapshots: tuple[Snapshot, ...]) -> Measures:
    """Score every declared variable of a study from its snapshots.

    Tables of answers are put below each other and scored; all other tables are joined
    to the first on entity and time, whose rows decide. Lags and changes may take a
    value from a row that only another table has.

    Raises
    ------
    MeasureError
        Where a declared variable is neither a column nor can be derived, a measure
        belongs to another sector than the case, an entity stands in two countries,
        tables do not fit together, or nothing is left of a compliance outcome.
    """
    steps = [step for snapshot in snapshots for step in _read_steps(snapshot)]
    check_countries(study, snapshots)
    tables = _sort_tables(study, snapshots)
    left_out, definitions = _score_answers(study, tables, steps)
    spells = _follow_remedies(study, tables, left_out)
    data = score_productivity(join_tables(study, tables.frames, tables.case, steps))
    for variable in study.variables:
        if variable.name not in data:
            data[variable.name] = derive(variable.name, data, tables, study)
    wanted = list(dict.fromkeys([v.name for v in study.variables] + _clocks_in(data)))
    return Measures(
        data=_first_rows(data, tables.frames)[wanted],
        items_left_out=left_out,
        steps=pd.DataFrame(steps, columns=["step", "rows", "reason"]),
        provenance=combine_origins(snapshots),
        definitions=definitions,
        answers=tables.answers,
        spells=spells,
    )


def _first_rows(data: pd.DataFrame, frames: list[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Keep the rows of the first table, whole numbers as they were before the join."""
    kept = data[data[IN_FIRST].to_numpy(dtype=bool)].reset_index(drop=True)
    types = {
        column: frame[column].dtype
        for _, frame in frames
        for column in frame.columns
        if pd.api.types.is_integer_dtype(frame[column]) and not kept[column].isna().any()
    }
    return kept.astype(types)


def _read_steps(snapshot: Snapshot) -> list[Step]:
    source = snapshot.record.id
    if snapshot.steps.empty:
        return [(f"read {source}.{n}", len(t), "rows read") for n, t in snapshot.tables.items()]
    told = snapshot.steps[["table", "rows", "reason"]].itertuples(index=False, name=None)
    return [(f"read {source}.{table}", int(rows), reason) for table, rows, reason in told]


def _sort_tables(study: Study, snapshots: tuple[Snapshot, ...]) -> Tables:
    """Sort a study's tables by their kind, which their columns tell."""
    keys = [study.entity.name, study.time.name]
    frames: list[tuple[str, pd.DataFrame]] = []
    asked: list[tuple[pd.DataFrame, Questionnaire | None]] = []
    workers, plans, questionnaires = [], [], {}
    enrolled = follow(snapshots, keys[0], "enrolled")
    enrolled = {unit: day for unit, day in enrolled.items() if isinstance(day, pd.Timestamp)}
    first = _find_first_day(snapshots) if keys[1] == DAY else None
    for snapshot in snapshots:
        pack = _questionnaire(study, snapshot)
        if pack is not None:
            questionnaires[pack.id] = pack
        for table in snapshot.record.tables:
            frame = _with_clocks(snapshot.tables[table.name], keys[0], enrolled)
            if first is not None and _has_days(frame):
                frame = frame.assign(**{DAY: (frame["date"] - first).dt.days + 1})
            columns = set(frame.columns)
            if columns >= {"question", "finding"}:
                frames += [] if asked else [(ANSWERS, pd.DataFrame())]
                asked.append((_with_country(frame, snapshots, snapshot, keys[0]), pack))
            elif "remediated" in columns:
                plans.append(frame)
            elif "worker" in table.key and keys[0] != "worker":
                workers.append(frame)
            else:
                frames.append((f"{snapshot.record.id}.{table.name}", frame))
    return Tables(
        frames=frames,
        answers=map_tables(asked, _laws(study, asked), keys) if asked else None,
        workers=pd.concat(workers, ignore_index=True) if workers else None,
        plans=pd.concat(plans, ignore_index=True) if plans else None,
        questionnaires=tuple(questionnaires.values()),
        sectors=_list_sectors(study),
        case=dict(snapshots[0].case) if snapshots else {},
        keys=keys,
        events=load_events(study.root) if any(names_event(v.name) for v in study.variables) else (),
    )


def _questionnaire(study: Study, snapshot: Snapshot) -> Questionnaire | None:
    name = snapshot.record.questionnaire
    where = f"data/sources/{snapshot.record.id}.toml: questionnaire"
    return load_questionnaire(study.root, name, where=where) if name else None


def _list_sectors(study: Study) -> tuple[Sector, ...]:
    paths = sorted((study.root / "data" / "sectors").glob("*.toml"))
    return tuple(load_sector(study.root, path.stem) for path in paths)


def _with_country(
    frame: pd.DataFrame, snapshots: tuple[Snapshot, ...], snapshot: Snapshot, entity: str
) -> pd.DataFrame:
    """Tell answers their country: laws and codes differ by it."""
    if "country" in frame:
        return frame
    if "country" in snapshot.case:
        return frame.assign(country=snapshot.case["country"])
    known = follow(snapshots, entity, "country")
    return frame.assign(country=frame[entity].map(known)) if entity in frame and known else frame


def _laws(study: Study, asked: list[tuple[pd.DataFrame, Questionnaire | None]]) -> dict[str, Law]:
    countries = {
        country
        for frame, _ in asked
        if "country" in frame
        for country in frame["country"].dropna().unique()
    }
    return {country: load_law(study.root, country) for country in sorted(countries)}


def _score_answers(
    study: Study, tables: Tables, steps: list[Step]
) -> tuple[tuple[str, ...], dict[str, dict[str, str]]]:
    """Score the study's compliance outcomes and put them where the answers stood.

    An outcome leaves out the items of exposures; an exposure that is itself a share of
    findings keeps its own, which the outcomes then leave out.
    """
    answers, keys = tables.answers, tables.keys
    if answers is None:
        return (), {}
    declared = {strip_transforms(v.name): v.name in _exposures(study) for v in study.variables}
    scored_as = {name: outcome for name in declared if (outcome := name_outcome(name)) is not None}
    whole = tuple(name for name in scored_as if declared[name])
    parts = tuple(dict.fromkeys(name for name in scored_as if not declared[name]))
    exposed = [scored_as[name] for name in whole]
    left = parts or _list_rates(study)
    left_out = _leave_out(study, answers, tables.questionnaires, exposed) if left else ()
    scored = score_compliance(
        answers.data, keys, leave_out=list(left_out), outcomes=parts or (_DEFAULT,)
    )
    outcomes = tuple(scored_as.values())
    _count_steps(answers, left_out, scored, outcomes, tables.questionnaires, steps)
    if whole:
        kept = scored[[*keys, *parts, "questions"]]
        scored = score_compliance(answers.data, keys, leave_out=[], outcomes=whole)
        scored = scored.drop(columns="questions").merge(kept, on=keys, how="left")
    place = next(i for i, (name, _) in enumerate(tables.frames) if name == ANSWERS)
    tables.frames[place] = (ANSWERS, _complete(scored, [*whole, *parts], study, tables))
    asked = {"asked": str(int(scored["questions"].median()))}
    told = {
        name: outcome.definition
        | ({"day": answers.yardstick} if outcome.fixed else {})
        | (asked if outcome.counts_all else {})
        for name, outcome in scored_as.items()
    }
    return left_out, told


def _list_rates(study: Study) -> list[RemedyRate]:
    named = (name_remedy_rate(strip_transforms(v.name)) for v in study.variables)
    return [rate for rate in named if rate is not None]


def _follow_remedies(
    study: Study, tables: Tables, left_out: tuple[str, ...]
) -> dict[str, pd.DataFrame]:
    """Follow the findings of each rate of remedy, and add its rates to the tables."""
    if tables.answers is None:
        return {}
    answers, keys, spells = tables.answers.data, tables.keys, {}
    for rate in _list_rates(study):
        followed = follow_remedies(answers, keys, rate, plans=tables.plans, leave_out=left_out)
        spells[rate.name] = followed
        tables.frames.append((rate.name, rate_remedies(followed, keys, rate.name)))
    return spells


def _complete(
    scored: pd.DataFrame, outcomes: list[str], study: Study, tables: Tables
) -> pd.DataFrame:
    """Add what the answers tell of a unit: its clocks, and its place if no table has it."""
    keys, answers = tables.keys, tables.answers
    names = {v.name for v in study.variables}
    elsewhere = {c for _, frame in tables.frames for c in frame.columns}
    kept = [*keys, *outcomes, *(["questions"] if "questions" in names else [])]
    if answers is None:
        return scored[kept]
    told = [c for c in (*CLOCKS, "year", *PLACES) if c in answers.data and c not in kept]
    told = [c for c in told if c in CLOCKS or c not in elsewhere]
    if not told:
        return scored[kept]
    first = list_distinct(answers.data, keys, tuple(told))
    return scored[kept].merge(first, on=keys, how="left", validate="one_to_one")


def _count_steps(
    answers: Answers,
    left_out: tuple[str, ...],
    scored: pd.DataFrame,
    outcomes: tuple[Outcome, ...],
    packs: tuple[Questionnaire, ...],
    steps: list[Step],
) -> None:
    """Count the rows from answers to those that an outcome counts."""
    steps.extend(answers.steps)
    data = answers.data
    if answers.unknown:
        reason = f"{len(answers.unknown)} codes unknown to the crosswalk stay items of their own"
        steps.append(("crosswalk", len(data), reason))
    rows = ~data["item"].isin(left_out).to_numpy()
    reason = f"{len(left_out)} items on an exposure left out"
    reason += "" if packs else "; without a questionnaire nothing tells which those are"
    steps.append(("exposures", int(rows.sum()), reason))
    rows &= data["finding"].notna().to_numpy()
    steps.append(("answered", int(rows.sum()), "questions without an answer do not count"))
    if any(outcome.common for outcome in outcomes):
        common = int((rows & data["common"].to_numpy(dtype=bool)).sum())
        steps.append(("common items", common, "of these, items asked in every version and mode"))
    if any(outcome.fixed for outcome in outcomes):
        judged = int((rows & data["finding_fixed"].notna().to_numpy()).sum())
        lost = ", ".join(answers.unjudged) or "none"
        reason = f"of these, findings under one law; items that cannot be judged again: {lost}"
        steps.append(("fixed yardstick", judged, reason))
    steps.append(("score compliance", len(scored), "one row a unit and period"))


def _exposures(study: Study) -> set[str]:
    """Name the exposures of a study: by their role, or by a specification."""
    named = {v.name for v in study.variables if v.role == "exposure"}
    return named.union(*(spec.exposures for spec in study.specifications))


def _leave_out(
    study: Study,
    answers: Answers,
    questionnaires: tuple[Questionnaire, ...],
    exposed: list[Outcome],
) -> tuple[str, ...]:
    """Name the items that describe an exposure of the study or are part of it."""
    exposures = _exposures(study)
    names = {base for name in exposures for base in list_bases(name)}
    told = {i for v in study.variables if v.name in exposures for i in v.institution}
    _check_institutions(study, told, questionnaires)
    items: set[str] = set()
    points: set[str] = set()
    for pack in questionnaires:
        institutions = told.union(*(institutions_of(name, pack) for name in names))
        more_items, more_points = items_of(institutions, names, pack)
        items |= more_items
        points |= more_points
    for outcome in exposed:
        items |= list_items(answers.data, outcome)
    if not items and not points:
        return ()
    pairs = list_distinct(answers.data, ["item", "point"])
    chosen = pairs["item"].isin(items) | pairs["point"].isin(points)
    return tuple(sorted(pairs["item"][chosen].unique()))


def _check_institutions(
    study: Study, told: set[str], questionnaires: tuple[Questionnaire, ...]
) -> None:
    """Refuse an institution that no questionnaire knows: nothing would be left out."""
    known = set().union(*(list_institutions(pack) for pack in questionnaires))
    unknown = sorted(told - known)
    if known and unknown:
        raise MeasureError(
            f"{study.path.name}: variables, institution",
            seen=f"'{unknown[0]}'",
            expected=f"one of {', '.join(sorted(known))}",
            do="Rename it, or give the questions that describe it this institution.",
        )


def _with_clocks(
    frame: pd.DataFrame, entity: str, enrolled: dict[Hashable, object]
) -> pd.DataFrame:
    """Add year and both clocks where a table has an assessment's day."""
    if entity not in frame or not _has_days(frame):
        return frame
    _check_year(frame)
    by = [entity, "date"]
    parts = [encode(frame[name]) for name in by]
    rows, combinations = cross(parts)
    units = list_levels(frame, by, parts, combinations)
    day = units["date"]
    first = day.groupby(units[entity]).transform("min")
    begun = pd.to_datetime(units[entity].map(enrolled)).fillna(first) if enrolled else first
    month = day.dt.year * 12 + day.dt.month
    clocks = {
        "year": day.dt.year,
        "calendar_month": month - 1970 * 12 - 1,
        "months_since_enrolment": month - begun.dt.year * 12 - begun.dt.month,
    }
    return frame.assign(
        **{name: v.to_numpy()[rows] for name, v in clocks.items() if name not in frame}
    )


def _has_days(frame: pd.DataFrame) -> bool:
    return "date" in frame and pd.api.types.is_datetime64_any_dtype(frame["date"])


def _find_first_day(snapshots: tuple[Snapshot, ...]) -> pd.Timestamp | None:
    tables = [table for snapshot in snapshots for table in snapshot.tables.values()]
    return min((table["date"].min() for table in tables if _has_days(table)), default=None)


def _check_year(frame: pd.DataFrame) -> None:
    """Refuse a year that is not that of its day, nor one beside it."""
    if "year" not in frame or not pd.api.types.is_numeric_dtype(frame["year"]):
        return
    pairs = list_distinct(frame, ["date", "year"]).dropna()
    apart = pairs[(pairs["date"].dt.year - pairs["year"]).abs() > 1]
    if not apart.empty:
        day, year = apart["date"].iloc[0].date(), apart["year"].iloc[0]
        raise MeasureError(
            "column 'date'",
            seen=f"{day} in a row of the year {year:.0f}",
            expected="a day of that year, or of one beside it",
            do="Mend the day, the year, or 'format' of the column in the source record.",
        )


def _clocks_in(frame: pd.DataFrame) -> list[str]:
    return [clock for clock in CLOCKS if clock in frame]
