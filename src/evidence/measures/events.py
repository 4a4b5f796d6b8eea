"""Exposure to policy events, from the registry: since when, how much, by which date."""

from __future__ import annotations

import re
from datetime import date

import pandas as pd

from evidence.errors import MeasureError
from evidence.packs import STEPS, Dating, PolicyEvent, load_events, start_of
from evidence.study import Study

_NAME = re.compile(
    rf"(?P<verb>since|dose)_(?P<event>.+)_(?P<step>{'|'.join(STEPS)})(_(?P<which>earliest|latest))?"
)
_EVENT_COLUMNS = ("event", "country", "side", "step", "date", "places", "dates_differ", "source",
                  "provenance", "placebo", "dose")  # fmt: skip
_FRAME_COLUMNS = ("what", "value", "unit", "approximate", "frame", "source")


def list_events(study: Study) -> pd.DataFrame:
    """List the registry's dates, a row an event, step and source.

    ``dates_differ`` is true where sources date the same step of the same place differently:
    all their dates stand in the table. ``places`` counts the places that a date is for (0: the
    whole reach of the event).
    """
    rows = [
        (event.id, event.country, event.side, dating.step, dating.date, len(dating.places),
         _differ(event, dating), dating.source, dating.provenance, event.placebo,
         event.dose_note or event.dose)
        for event in load_events(study.root)
        for dating in event.dates
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(_EVENT_COLUMNS)).set_index(["event", "step"])


def list_frames(study: Study) -> pd.DataFrame:
    """List published numbers of the registry, each beside the sampling frame it is a share of.

    Numbers of the same name in different frames are not to be compared.
    """
    rows = [
        (figure.what, figure.value, figure.unit, figure.approximate, figure.frame, figure.source)
        for event in load_events(study.root)
        for figure in event.figures
    ]
    frames = pd.DataFrame(rows, columns=list(_FRAME_COLUMNS))
    return frames.sort_values("what", kind="stable").set_index("what")


def names_event(name: str) -> bool:
    """Tell whether a variable's name asks for an event, itself or behind a transform."""
    return re.search(r"(?:^|_)(?:since|dose)_", name) is not None


def expose(name: str, data: pd.DataFrame, events: tuple[PolicyEvent, ...]) -> pd.Series | None:
    """Expose rows to an event: ``since_<event>_<step>`` is 1 from the step's date on.

    ``dose_<event>_<step>`` is that times the event's dose column. Where sources differ,
    ``_earliest`` or ``_latest`` behind the name says whose date is taken. Rows of a year are
    judged by its middle, as laws are; rows with a ``date`` by their day. A year or a month
    without a day begins with its first.

    Returns
    -------
    Series or None
        0/1, or the dose, aligned with ``data``; None where the name names no event.

    Raises
    ------
    MeasureError
        Where the event lacks the step, its dates differ and the name takes none of them, or
        a column that it needs is not in the data.
    """
    found = _NAME.fullmatch(name)
    event = next((e for e in events if found and e.id == found["event"]), None)
    if found is None or event is None:
        return None
    dated = [dating for dating in event.dates if dating.step == found["step"]]
    needed = [event.column, *([event.dose] if found["verb"] == "dose" else [])]
    _check(name, event, dated, [column for column in needed if column not in data])
    starts = _start_by_place(name, event, dated, found["which"] or "")
    since = pd.to_datetime(data[event.column].map(starts))
    exposed = (_days(name, data) >= since).astype("float64")
    return exposed * data[event.dose] if found["verb"] == "dose" else exposed


def _differ(event: PolicyEvent, dating: Dating) -> bool:
    alike = (other for other in event.dates if other.step == dating.step)
    return any(
        other.date != dating.date
        and (not (other.places and dating.places) or set(other.places) & set(dating.places))
        for other in alike
    )


def _check(name: str, event: PolicyEvent, dated: list[Dating], lost: list[str]) -> None:
    if not dated:
        raise MeasureError(
            f"variable '{name}'",
            seen=f"event '{event.id}' with the steps {', '.join(d.step for d in event.dates)}",
            expected="one of its steps",
            do=f"Name a step that data/events/{event.id}.toml dates.",
        )
    if lost:
        raise MeasureError(
            f"variable '{name}'",
            seen=f"no column '{lost[0]}' in the data" if lost[0] else "an event without a dose",
            expected="the column that says whom the event reaches, and how much",
            do=f"Add it to the source record, or mend data/events/{event.id}.toml.",
        )


def _start_by_place(
    name: str, event: PolicyEvent, dated: list[Dating], which: str
) -> dict[str, date]:
    """Choose one day for each place among those that the sources tell."""
    told: dict[str, set[date]] = {}
    for dating in dated:
        for place in dating.places or (event.country,):
            told.setdefault(place, set()).add(start_of(dating))
    differing = [place for place, days in told.items() if len(days) > 1]
    if differing and not which:
        days = ", ".join(str(day) for day in sorted(told[differing[0]]))
        raise MeasureError(
            f"variable '{name}'",
            seen=f"{days} for {differing[0]}",
            expected="one date, or a choice between those of the sources",
            do=f"Say {name}_earliest or {name}_latest.",
        )
    choose = max if which == "latest" else min
    return {place: choose(days) for place, days in told.items()}


def _days(name: str, data: pd.DataFrame) -> pd.Series:
    """Give the day by which each row is judged."""
    if "date" in data and pd.api.types.is_datetime64_any_dtype(data["date"]):
        return data["date"]
    if "year" not in data:
        raise MeasureError(
            f"variable '{name}'",
            seen="neither a column 'date' nor 'year'",
            expected="one of them: an event has a date",
            do="Add the day or the year to the source record.",
        )
    return pd.to_datetime(data["year"].astype("Int64").astype("string") + "-07-01")
