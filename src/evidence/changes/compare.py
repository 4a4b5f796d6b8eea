"""Two runs become a ``Change``: what became of each finding, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from scipy import stats

from evidence.changes.caution import find_cautions, join_cautions
from evidence.changes.count import count_rows, mask_counts
from evidence.changes.decompose import decompose
from evidence.changes.kept import Kept
from evidence.changes.noise import Noise, measure_noise
from evidence.changes.noun import Cause, Caution, Change, Component, Kind, Move, RunName, Standing
from evidence.changes.side import Side, take_side
from evidence.errors import RunError
from evidence.study import must_reopen, read_advice

_TOLD = frozenset({"decrease", "increase"})
_CODE = frozenset({"code", "environment", "notebook"})
_EQUAL = 1e-9
_REPRODUCED = 1e-6
_THRESHOLD = 10


@dataclass(frozen=True, slots=True)
class _Told:
    """A finding's move with the warnings that belong to it."""

    move: Move
    cautions: list[Caution]


def compare_runs(old: Kept, new: Kept) -> Change:
    """Compare two finished runs, finding by finding.

    Findings are the same where claim and case are; the studies may differ (two vintages of
    a source, each with its study). Recommendations of the new run's study are held against
    both runs; conditions on a date are not judged here, so that the same runs always give
    the same page.
    """
    parts = sorted(
        name for name in {*old.parts, *new.parts} if old.parts.get(name) != new.parts.get(name)
    )
    before, after = old.findings, new.findings
    ids = [*after, *(name for name in before if name not in after)]
    told = [_compare(old, new, before.get(name), after.get(name), tuple(parts)) for name in ids]
    restricted = any(run.neck.protected["confidentiality"] == "restricted" for run in (old, new))
    entries = [*before.values(), *after.values()]
    change = Change(
        old=RunName(old.slug, old.id, old.manifest["finished"], old.parts),
        new=RunName(new.slug, new.id, new.manifest["finished"], new.parts),
        inputs_changed=tuple(parts),
        moves=tuple(item.move for item in told),
        cautions=join_cautions([caution for item in told for caution in item.cautions]),
        restricted=restricted,
        simulated=any(entry["simulated"] for entry in entries),
        reopen=_list_reopened(old, new),
    )
    return _mask(change, _find_threshold(old, new)) if restricted else change


def _list_reopened(old: Kept, new: Kept) -> tuple[tuple[str, str], ...]:
    """List the recommendations that a change asks to look at again, with the first reason."""
    if new.study is None:
        return ()
    found = []
    for advice in read_advice(new.study):
        ids = dict.fromkeys(
            name
            for entries in (new.findings, old.findings)
            for name, entry in entries.items()
            if entry["claim"] == advice.claim
        )
        told = [must_reopen(advice, new.findings.get(i), old.findings.get(i)) for i in ids]
        reasons = [reason for reason in told if reason]
        found += [(advice.id, reason) for reason in reasons[:1]]
    return tuple(found)


def _compare(
    old: Kept,
    new: Kept,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    parts: tuple[str, ...],
) -> _Told:
    entry = after or before
    assert entry is not None
    numbers = [None if e is None else e["estimate"] for e in (before, after)]
    move = Move(entry["id"], "same", _judge_standing(before, after), before, after, entry["unit"])
    if before is None or after is None or None in numbers:
        kinds: dict[tuple[bool, bool], Kind] = {(False, True): "new", (True, False): "lost"}
        there = (numbers[0] is not None, numbers[1] is not None)
        absent: Kind = "new" if before is None else "lost" if after is None else "same"
        return _Told(replace(move, kind=kinds.get(there, absent)), [])
    if any(before[key] != after[key] for key in ("unit", "contrast")):
        return _Told(replace(move, kind="other_question"), [])
    return _explain(old, new, move, parts)


def _explain(old: Kept, new: Kept, move: Move, parts: tuple[str, ...]) -> _Told:
    """Measure the noise of a move, tell its parts, count its rows, find its warnings."""
    assert move.old is not None
    assert move.new is not None
    printed = (float(move.old["estimate"]), float(move.new["estimate"]))
    change = printed[1] - printed[0]
    try:
        sides = (take_side(old, move.old), take_side(new, move.new))
    except RunError:
        together = (Component("together", change, ("rows", "entities", "values", "code")),)
        unknown = replace(move, change=change, components=together, left_open="no_rows")
        return _Told(_classify(unknown, Noise(None, 0)), [])
    components, left_open = decompose(
        *sides, printed=printed, values=_blame_values(old, new, sides, move, parts)
    )
    explained = replace(
        move,
        change=change,
        components=components,
        left_open=left_open,
        counts=count_rows(*sides),
    )
    told = _classify(explained, measure_noise(*sides))
    cautions = find_cautions((old, new), sides, told)
    return _Told(told, [*cautions, *_doubt(told, sides, parts)])


def _blame_values(
    old: Kept, new: Kept, sides: tuple[Side, Side], move: Move, parts: tuple[str, ...]
) -> tuple[Cause, tuple[str, ...]]:
    """Say what a change of values comes from; where several inputs changed, say which."""
    assert move.old is not None
    assert move.new is not None
    law = "packs" in parts or move.old["definition"] != move.new["definition"]
    data = old.manifest["data"] != new.manifest["data"] or move.old["data"] != move.new["data"]
    named = [(side.outcome, side.exposure) for side in sides]
    causes: dict[Cause, bool] = {
        "law": law,
        "data": data,
        "study": named[0] != named[1],
        "code": bool(_CODE & set(parts)),
    }
    found = [cause for cause, holds in causes.items() if holds]
    if len(found) <= 1:
        return (found or ["data"])[0], ()
    return "values_mixed", tuple(found)


def _classify(move: Move, noise: Noise) -> Move:
    old, new, change = move.old, move.new, move.change
    assert old is not None
    assert new is not None
    assert change is not None
    if noise.std_error is not None:
        level = new["conf_level"]
        reach = float(stats.t.ppf((1 + level) / 2, noise.groups - 1)) * noise.std_error
        move = replace(
            move,
            std_error=noise.std_error,
            conf_low=change - reach,
            conf_high=change + reach,
            clusters=noise.groups,
        )
    return replace(move, kind=_choose_kind(move, old, new))


def _choose_kind(move: Move, old: dict[str, Any], new: dict[str, Any]) -> Kind:
    assert move.change is not None
    turned = {old["direction"], new["direction"]} == _TOLD
    if turned:
        return "flipped"
    if _is_same(old, new):
        return "same"
    if move.conf_low is None or move.conf_high is None:
        return "noise_unknown"
    if move.conf_low <= 0 <= move.conf_high:
        return "within_noise"
    return "flipped" if old["estimate"] * new["estimate"] < 0 else "moved"


def _is_same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Tell whether two entries print the same numbers, but for rounding."""
    names = ("estimate", "conf_low", "conf_high")
    pairs = [(old[name], new[name]) for name in names]
    if any((one is None) != (other is None) for one, other in pairs):
        return False
    numbers = [(one, other) for one, other in pairs if one is not None]
    size = max(abs(number) for pair in numbers for number in pair)
    close = all(abs(one - other) <= _EQUAL * size for one, other in numbers)
    return close and old["direction"] == new["direction"]


def _judge_standing(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Standing:
    ways = [None if e is None else e["direction"] for e in (before, after)]
    told = [way in _TOLD for way in ways]
    if all(told):
        return "stands" if ways[0] == ways[1] else "none"
    if not any(told):
        return "none"
    return "firmed" if told[1] else "weakened"


def _doubt(move: Move, sides: tuple[Side, Side], parts: tuple[str, ...]) -> list[Caution]:
    """Warn of another specification, and of printed numbers that nothing explains."""
    found = []
    if _differs(sides):
        found.append(Caution("specification_changed", (move.id,)))
    assert move.new is not None
    size = max(abs(move.new["estimate"]), abs(move.change or 0.0))
    code = sum(abs(part.change) for part in move.components if part.cause == "code")
    if code > _REPRODUCED * size and not _CODE & set(parts):
        found.append(Caution("not_reproduced", (move.id,)))
    return found


def _differs(sides: tuple[Side, Side]) -> bool:
    """Tell whether specifications differ in more than names and the part they play."""
    old, new = (side.specification for side in sides)
    names = {sides[0].outcome: sides[1].outcome, sides[0].exposure: sides[1].exposure}
    same = replace(
        old,
        id=new.id,
        notebook=new.notebook,
        role=new.role,
        published=new.published,
        outcome=names.get(old.outcome, old.outcome),
        exposure=tuple(names.get(name, name) for name in old.exposures),
    )
    return same != replace(new, exposure=new.exposures)


def _find_threshold(old: Kept, new: Kept) -> int:
    told = [run.study.disclosure.threshold for run in (old, new) if run.study is not None]
    return max(told, default=_THRESHOLD)


def _mask(change: Change, threshold: int) -> Change:
    """Take the small counts of restricted data out of a change."""
    moves = tuple(
        replace(move, counts=mask_counts(move.counts, threshold)) if move.counts else move
        for move in change.moves
    )
    cautions = [_mask_caution(caution, threshold) for caution in change.cautions]
    masked = tuple(move.id for move in moves if move.counts and move.counts.masked)
    if masked:
        cautions.append(Caution("counts_masked", masked, {"threshold": threshold}))
    return replace(change, moves=moves, cautions=tuple(cautions))


def _mask_caution(caution: Caution, threshold: int) -> Caution:
    if not 0 < caution.values.get("entities", 0) < threshold:
        return caution
    hidden = dict.fromkeys(("changed", "entities", "share", "mean_change"))
    return replace(caution, values={**caution.values, **hidden})
