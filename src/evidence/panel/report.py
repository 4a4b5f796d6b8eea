"""New data: fit to rerun, or not, and why."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from evidence.errors import EvidenceError, SourceError
from evidence.measures import Answers, score_measures
from evidence.panel.attrition import list_attrition, list_gaps
from evidence.panel.build import Panel, build_panel, select_sample
from evidence.sources import (
    ACCEPT_ABOVE,
    ASK_FROM,
    Snapshot,
    list_versions,
    read_sources,
    read_version,
)
from evidence.study import Case, Study

MOST_LOST = 0.05
"""Share of a snapshot's earlier rows that may vanish before a rerun is stopped."""

MOST_REVISED = 0.05
"""Share of a column's earlier values that may change before a person should look."""

MOST_UNKNOWN = 0.05
"""Share of answers that the crosswalk may not know before a rerun is stopped."""

LEAST_PRESENT = 0.5
"""Share of the entities of the period before that the last one should have."""

_REVISIONS = (
    "source", "table", "file", "previous", "current", "rows_before", "rows_now", "added",
    "lost", "compared", "changed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a person should know of a study's data before trusting a rerun.

    Frames, each with a column ``case`` where it differs by case: ``verdict`` (``state``
    good, look or stop; ``question, seen``), ``coverage`` (``variable, time, share``
    with a value), ``factories`` (``time, present, entered, returned, left``), ``gaps``,
    ``revisions`` against the previous archived copy, ``timeliness`` (days from the last
    assessment to its archive), ``items`` (``change`` added, dropped, reworded, or
    unknown to the crosswalk), ``readings`` (what was found in files rather than
    declared), ``ledger``. ``simulated`` is true where any source is; ``errors`` are those that stop a rerun.
    """

    study: Study
    verdict: pd.DataFrame
    coverage: pd.DataFrame
    factories: pd.DataFrame
    gaps: pd.DataFrame
    revisions: pd.DataFrame
    timeliness: pd.DataFrame
    items: pd.DataFrame
    readings: pd.DataFrame
    ledger: pd.DataFrame
    simulated: bool
    errors: tuple[EvidenceError, ...]

    @property
    def fit(self) -> bool:
        """Whether the data are fit to rerun: nothing says stop."""
        return not (self.verdict["state"] == "stop").any()


@dataclass(frozen=True, slots=True)
class _Read:
    """One case as far as it could be read."""

    case: Case
    snapshots: tuple[Snapshot, ...] = ()
    answers: Answers | None = None
    panel: Panel | None = None
    errors: tuple[EvidenceError, ...] = ()


def report_data(study: Study, seed: int = 1) -> DataReport:
    """Report on the data of a study, all cases.

    A case that cannot be read is part of the report, not an exception.

    Raises
    ------
    SourceError
        Where an archived copy can no longer be read.
    """
    cases = [_read(study, case, seed) for case in study.cases]
    revisions = pd.concat([_revise(study, s) for s in cases[0].snapshots] or [pd.DataFrame()])
    checks = [check for read in cases for check in _judge(read)]
    checks += list(_judge_revisions(revisions))
    return DataReport(
        study=study,
        verdict=pd.DataFrame(checks, columns=["case", "state", "question", "seen"]),
        coverage=_by_panel(cases, "time variable share", _cover),
        factories=_by_panel(
            cases,
            "time present entered returned left",
            lambda panel: list_attrition(panel).reset_index(),
        ),
        gaps=_by_panel(cases, "seen entities share", list_gaps),
        revisions=revisions.reindex(columns=list(_REVISIONS)).reset_index(drop=True),
        timeliness=_timeliness(study, cases),
        items=_by_case(cases, "item change since", _items),
        readings=_by_case(cases, "source table file kind found", _read_notes),
        ledger=_by_panel(cases, "step rows entities reason", lambda panel: panel.ledger),
        simulated=any(s.record.confidentiality == "simulated" for s in cases[0].snapshots),
        errors=tuple(error for read in cases for error in read.errors),
    )


def _by_case(
    cases: list[_Read], columns: str, make: Callable[[_Read], pd.DataFrame | None]
) -> pd.DataFrame:
    """Put what is made of each case below each other, with a column ``case`` first."""
    frames = [pd.DataFrame(columns=["case", *columns.split()])]
    for read in cases:
        frame = make(read)
        if frame is not None and len(frame):
            frames.append(frame.assign(case=read.case.id))
    whole = pd.concat(frames[1:] or frames, ignore_index=True)
    return whole[list(frames[0].columns)]


def _by_panel(
    cases: list[_Read], columns: str, make: Callable[[Panel], pd.DataFrame]
) -> pd.DataFrame:
    return _by_case(cases, columns, lambda read: make(read.panel) if read.panel else None)


def _read_notes(read: _Read) -> pd.DataFrame | None:
    notes = [s.readings.assign(source=s.record.id) for s in read.snapshots if len(s.readings)]
    return pd.concat(notes, ignore_index=True) if notes else None


def _read(study: Study, case: Case, seed: int) -> _Read:
    snapshots: tuple[Snapshot, ...] = ()
    try:
        snapshots = read_sources(study, case, seed, whole=True)
        measures = score_measures(study, snapshots)
        panel = build_panel(study, measures)
    except EvidenceError as error:
        return _Read(case, snapshots, errors=(error,))
    errors = []
    for specification in study.specifications:
        try:
            select_sample(panel, specification)
        except EvidenceError as error:
            errors.append(error)
    return _Read(case, snapshots, measures.answers, panel, tuple(errors))


def _judge(read: _Read) -> Iterator[tuple[str, str, str, str]]:
    case = read.case.id
    for error in read.errors:
        yield case, "stop", "Can it be read, scored and estimated?", str(error)
    if read.panel is None:
        return
    if not read.errors:
        told = f"{read.panel.n_entities} entities in {read.panel.n_periods} periods"
        yield case, "good", "Can it be read, scored and estimated?", told
    yield case, *_judge_last_period(read.panel)
    if read.answers is not None:
        yield case, *_judge_crosswalk(read.answers)
        yield case, *_judge_instrument(read.answers)
    for snapshot in read.snapshots:
        if snapshot.record.register:
            yield case, *_judge_identity(snapshot)


def _judge_identity(snapshot: Snapshot) -> tuple[str, str, str]:
    question = "Are the factories those of the register?"
    lost = [str(r) for r in snapshot.steps["reason"] if "uncertain" in r or "neither" in r]
    taken = [
        frame.loc[frame["match_score"].between(ASK_FROM, ACCEPT_ABOVE), "factory"].nunique()
        for frame in snapshot.tables.values()
        if "match_score" in frame
    ]
    if max(taken, default=0):
        lost.append(f"{max(taken)} factories whose match is uncertain are taken in")
    return ("look", question, "; ".join(lost)) if lost else ("good", question, "all decided")


def _judge_last_period(panel: Panel) -> tuple[str, str, str]:
    present = list_attrition(panel)["present"]
    last, before = int(present.iloc[-1]), int(present.iloc[-2])
    state = "good" if last >= LEAST_PRESENT * before else "look"
    seen = f"{last} entities in {present.index[-1]}, {before} in {present.index[-2]}"
    return state, "Is the last period whole?", seen


def _judge_crosswalk(answers: Answers) -> tuple[str, str, str]:
    question = "Does the crosswalk know the questions?"
    told, share = [], 0.0
    if answers.unknown:
        share = float(answers.data["question"].isin(answers.unknown).mean())
        named = f"{len(answers.unknown)} codes unknown, {100 * share:.1f} per cent of the answers"
        told.append(f"{named}: {_name_some(answers.unknown)}")
    if answers.contradicted:
        told.append(f"put under another point by a file: {_name_some(answers.contradicted)}")
    if not told:
        return "good", question, "all of them"
    return "stop" if share > MOST_UNKNOWN else "look", question, "; ".join(told)


def _name_some(codes: tuple[str, ...]) -> str:
    return ", ".join(codes[:5]) + (" …" if len(codes) > 5 else "")


def _judge_instrument(answers: Answers) -> tuple[str, str, str]:
    question = "Was everything asked in the same way throughout?"
    ways = answers.data[["version", "mode"]].drop_duplicates()
    dropped = int((~answers.data.groupby("item")["common"].max()).sum())
    if len(ways) < 2 and not dropped:
        return "good", question, "one version, one mode, the same items"
    seen = f"{len(ways)} versions and modes; {dropped} items not in all of them"
    return "look", question, seen


def _judge_revisions(revisions: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    for row in revisions.to_dict("records"):
        name = f"{row['source']}.{row['table']}"
        lost = row["lost"] / max(1, row["rows_before"])
        changed = row["changed"] / max(1, row["compared"])
        state = "stop" if lost > MOST_LOST else "look" if changed > MOST_REVISED else "good"
        seen = (
            f"{name}: {row['added']} rows new, {row['lost']} lost, {row['changed']} of "
            f"{row['compared']} values revised since {row['previous']}"
        )
        yield "all", state, "What changed since the snapshot before?", seen


def _cover(panel: Panel) -> pd.DataFrame:
    study = panel.study
    names = [v.name for v in study.variables if v.role in {"outcome", "exposure", "control"}]
    shares = panel.data[names].notna().groupby(level="time").mean().reset_index()
    return shares.melt("time", var_name="variable", value_name="share")


def _revise(study: Study, snapshot: Snapshot) -> pd.DataFrame:
    """Compare each table's latest archived copy with the one before it."""
    rows = []
    for table in snapshot.record.tables:
        if snapshot.record.kind != "file" or table.stack:
            continue
        versions = list_versions(study.root, snapshot.record, table)
        for file, copies in versions.groupby("file"):
            if len(copies) < 2:
                continue
            older, newer = (
                read_version(study.root, snapshot.record, table, sha256)
                for sha256 in copies["sha256"].iloc[-2:]
            )
            told = {"source": snapshot.record.id, "table": table.name, "file": file}
            told |= {
                "previous": copies["archived"].iloc[-2],
                "current": copies["archived"].iloc[-1],
            }
            rows.append(told | _compare(older, newer, list(table.key)))
    return pd.DataFrame(rows)


def _compare(older: pd.DataFrame, newer: pd.DataFrame, key: list[str]) -> dict[str, int]:
    if not key:
        raise SourceError(
            "revisions",
            seen="a table without a key",
            expected="a key that tells its rows apart",
            do="Declare the key in the source record.",
        )
    both = older.merge(newer, on=key, how="outer", suffixes=("_before", "_now"), indicator=True)
    kept = both[both["_merge"] == "both"]
    compared = changed = 0
    for column in older.columns.difference(key):
        before, now = kept[f"{column}_before"], kept[f"{column}_now"]
        known = before.notna() | now.notna()
        compared += int(known.sum())
        changed += int((known & ~(before == now).fillna(value=False)).sum())
    return {
        "rows_before": len(older),
        "rows_now": len(newer),
        "added": int((both["_merge"] == "right_only").sum()),
        "lost": int((both["_merge"] == "left_only").sum()),
        "compared": compared,
        "changed": changed,
    }


def _timeliness(study: Study, cases: list[_Read]) -> pd.DataFrame:
    """Count the days from a table's last assessment to its day in the archive."""
    rows = []
    for snapshot in cases[0].snapshots:
        for table in snapshot.record.tables:
            days = [
                frame["date"].max()
                for read in cases
                for s in read.snapshots
                if s.record.id == snapshot.record.id and "date" in (frame := s.tables[table.name])
            ]
            versions = list_versions(study.root, snapshot.record, table)
            if not days or versions.empty:
                continue
            last, archived = max(days), pd.Timestamp(versions["archived"].max())
            told: dict[str, object] = {"source": snapshot.record.id, "table": table.name}
            told |= {"last_assessment": last.date(), "archived": archived.date()}
            rows.append(told | {"days": (archived - last).days})
    return pd.DataFrame(rows, columns=["source", "table", "last_assessment", "archived", "days"])


def _items(read: _Read) -> pd.DataFrame | None:
    """List items that came, went or were worded anew from one period to the next."""
    if read.answers is None:
        return None
    data = read.answers.data
    time = read.panel.study.time.name if read.panel else "year"
    if time not in data:
        return None
    wording = data["label"] if "label" in data else pd.Series("", index=data.index)
    asked = data.assign(wording=wording)[[time, "item", "wording"]].drop_duplicates([time, "item"])
    periods = sorted(asked[time].unique())
    rows = [(code, "unknown to the crosswalk", None) for code in read.answers.unknown]
    for before, now in itertools.pairwise(periods):
        old = asked[asked[time] == before].set_index("item")["wording"]
        new = asked[asked[time] == now].set_index("item")["wording"]
        rows += [(item, "added", now) for item in sorted(set(new.index) - set(old.index))]
        rows += [(item, "dropped", now) for item in sorted(set(old.index) - set(new.index))]
        both = old.index.intersection(new.index)
        reworded = both[(old[both] != new[both]).to_numpy()]
        rows += [(item, "reworded", now) for item in sorted(reworded)]
    return pd.DataFrame(rows, columns=["item", "change", "since"])
