"""The plan of analysis, fixed before outcomes are read: ``<slug>.lock.toml``.

A plan is every key of every headline or placebo specification, the claims on them, the variables
that they name, the entry rules, the thresholds and the sources, as ``place = value``.
The file is committed; its hash makes an edit by hand visible.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from evidence.errors import StudyError
from evidence.packs import Slug
from evidence.study.noun import Study
from evidence.study.sections import Claim, Disclosure, Entry, Specification, Text, Variable
from evidence.toml import check_sections, read_toml, strict

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
_SECTIONS: dict[str, type[Any]] = {
    "specifications": Specification,
    "claims": Claim,
    "variables": Variable,
    "disclosure": Disclosure,
    "panel": Entry,
}
_IDENTITY = {"specifications": "estimator", "claims": "specification", "variables": "role"}
_LEFT_OUT = {"id": ("specifications", "claims"), "name": ("variables",),
             "label": ("variables",), "noun": ("variables",), "exceptions": ("disclosure",)}  # fmt: skip
"""Keys that are no part of a plan: names, words for readers, requests that name outputs."""

_FIXED = ("headline", "placebo")
"""Roles of a specification that a plan fixes: what is claimed, and what should find nothing."""

_UNORDERED = ("effects", "controls")


@strict
class Amendment:
    """A later change of the plan: what it was, what it is now, and why.

    ``before`` is the hash of the lock that it changes.
    """

    date: Day
    reason: Text
    after_outcomes: bool
    before: Hash
    was: dict[str, Any]
    now: dict[str, Any]


@strict
class Lock:
    """A plan with the day on which it was fixed.

    ``plan`` is the first one; ``sources`` holds the fingerprint of each data source then,
    or ``not there``; ``after_outcomes`` says that results of the study already existed.
    """

    schema_version: Literal[1]
    study: Slug
    date: Day
    after_outcomes: bool
    sha256: Hash
    sources: dict[str, str]
    plan: dict[str, Any]
    amendments: tuple[Amendment, ...] = ()


@dataclass(frozen=True, slots=True)
class Deviation:
    """A difference between plan and study file.

    ``place`` is ``section.id.key``, ``section.id`` for what came or went as a whole, or
    ``section.key``; ``locked`` or ``now`` is ``None`` where there is nothing. ``date``,
    ``reason`` and ``after_outcomes`` are an amendment's, empty where none declares it.
    """

    place: str
    locked: Any
    now: Any
    date: str = ""
    reason: str = ""
    after_outcomes: bool = False


def lock_path(study: Study) -> Path:
    """Say where a study's lock lies."""
    return study.path.with_name(f"{study.path.stem}.lock.toml")


def plan_of(study: Study) -> dict[str, Any]:
    """Lay out the plan of a study file as place → value, without what is empty by default."""
    fixed = [spec for spec in study.specifications if spec.role in _FIXED]
    names = {spec.id for spec in fixed}
    claims = [claim for claim in study.claims if claim.specification in names]
    used = {name for spec in fixed for name in _names(spec)}
    used |= {study.entity.name, study.time.name}
    plan: dict[str, Any] = {"data.sources": list(study.data.sources)}
    plan |= {"cases": [case.id for case in study.cases]}
    for section, items in (("specifications", fixed), ("claims", claims)):
        for item in items:
            plan |= _flatten(f"{section}.{item.id}", item)
    for variable in study.variables:
        if variable.name in used:
            plan |= _flatten(f"variables.{variable.name}", variable)
    for section, rules in (("disclosure", study.disclosure), ("panel", study.panel)):
        plan |= _flatten(section, rules)
    return plan


def make_lock(study: Study, *, day: date, sources: Mapping[str, str], after_outcomes: bool) -> Lock:
    """Make the first lock of a study."""
    return _seal(
        Lock(
            1, study.slug, day.isoformat(), after_outcomes, "0" * 64, dict(sources), plan_of(study)
        )
    )


def amend_lock(lock: Lock, study: Study, *, day: date, reason: str, after_outcomes: bool) -> Lock:
    """Add an amendment to a lock; its first plan stays.

    Raises
    ------
    StudyError
        Where nothing deviates from the plan.
    """
    before, now = current_plan(lock), plan_of(study)
    places = [place for place in sorted({*before, *now}) if _differs(place, before, now)]
    if not places:
        raise StudyError(
            lock_path(study).name,
            seen="an amendment without a change",
            expected="a study file that differs from its plan",
            do="Change the study file first, or leave the lock as it is.",
        )
    amendment = Amendment(
        day.isoformat(),
        reason,
        after_outcomes,
        lock.sha256,
        {place: before[place] for place in places if place in before},
        {place: now[place] for place in places if place in now},
    )
    return _seal(_with(lock, (*lock.amendments, amendment)))


def read_lock(study: Study) -> Lock | None:
    """Read a study's lock; ``None`` where there is none.

    Raises
    ------
    StudyError
        Where it was edited by hand, an amendment's hash included, or is another study's.
    """
    path = lock_path(study)
    if not path.is_file():
        return None
    lock = check_sections(Lock, read_toml(path, StudyError), StudyError, where=path.name)
    chain = [_with(lock, lock.amendments[:number]) for number in range(len(lock.amendments))]
    broken = [
        number
        for number, (earlier, amendment) in enumerate(zip(chain, lock.amendments, strict=True), 1)
        if _seal(earlier).sha256 != amendment.before
    ]
    if _seal(lock).sha256 != lock.sha256 or broken:
        raise StudyError(
            f"{path.name}: " + (f"amendments[{broken[0]}].before" if broken else "sha256"),
            seen="a hash that does not belong to the content: the file was edited by hand",
            expected="the lock as evidence wrote it",
            do="Restore it from version control; change the plan with "
            f"evidence lock {study.path.name} --amend '<reason>'.",
        )
    if lock.study != study.slug:
        raise StudyError(
            f"{path.name}: study",
            seen=f"'{lock.study}'",
            expected=f"'{study.slug}'",
            do="Restore the lock of this study; a lock cannot be copied from another.",
        )
    return lock


def write_lock(lock: Lock) -> bytes:
    """Write a lock as TOML: same lock, same bytes."""
    head: dict[str, Any] = {"schema_version": 1, "study": lock.study, "date": lock.date}
    head |= {"after_outcomes": lock.after_outcomes, "sha256": lock.sha256}
    parts = ["# Written by evidence lock. An edit by hand breaks the hash and is refused.",
             _lines(head), "[sources]", _lines(lock.sources), "[plan]", _lines(lock.plan)]  # fmt: skip
    for item in lock.amendments:
        plain: dict[str, Any] = {"date": item.date, "reason": item.reason}
        plain |= {"after_outcomes": item.after_outcomes, "before": item.before}
        parts += ["[[amendments]]", _lines(plain), "[amendments.was]", _lines(item.was)]
        parts += ["[amendments.now]", _lines(item.now)]
    return ("\n".join(parts) + "\n").encode("utf-8")


def current_plan(lock: Lock) -> dict[str, Any]:
    """Apply a lock's amendments to its first plan."""
    plan = dict(lock.plan)
    for item in lock.amendments:
        plan = {place: value for place, value in plan.items() if place not in item.was} | item.now
    return plan


def list_deviations(study: Study) -> tuple[Deviation, ...]:
    """List what deviates from a study's plan: amendments first, then what none declares.

    Empty where there is no lock, or nothing deviates.

    Raises
    ------
    StudyError
        Where the lock was edited by hand.
    """
    lock = read_lock(study)
    if lock is None:
        return ()
    told: list[Deviation] = []
    for item in lock.amendments:
        told += [
            Deviation(d.place, d.locked, d.now, item.date, item.reason, item.after_outcomes)
            for d in _compare(item.was, item.now)
        ]
    return (*told, *_compare(current_plan(lock), _with_roles(study, current_plan(lock))))


def is_planned(study: Study, claim: str) -> bool:
    """Tell whether a claim, its specification and its variables were fixed before results existed.

    True without a lock, and with one that was made when results existed: then nothing
    was planned, which the brief says once instead of on every line.
    """
    lock = read_lock(study)
    if lock is None or lock.after_outcomes:
        return True
    name = next(item.specification for item in study.claims if item.id == claim)
    own = (f"claims.{claim}", f"specifications.{name}")
    measured = {f"variables.{variable}" for variable in _names(study.specification(name))}
    early = [item for item in lock.amendments if not item.after_outcomes]
    planned = current_plan(_with(lock, tuple(early)))
    late = [
        d
        for d in list_deviations(study)
        if (d.after_outcomes or not d.date)
        and (d.place in own or d.place.rpartition(".")[0] in {*own, *measured})
    ]
    return not late and all(any(p.startswith(f"{place}.") for p in planned) for place in own)


def hash_words(study: Study) -> str:
    """Hash what a brief says beyond the study file: lock and advice, as they lie there."""
    digest = hashlib.sha256()
    for suffix in ("lock", "advice"):
        path = study.path.with_name(f"{study.path.stem}.{suffix}.toml")
        digest.update(f"{suffix}:".encode())
        digest.update(path.read_bytes() if path.is_file() else b"none")
    return digest.hexdigest()


def _names(spec: Specification) -> set[str]:
    """List the variables that a specification names, in whichever key."""
    values: list[Any] = [value for value in asdict(spec).values() if value]
    flat = [
        part for value in values for part in (value if isinstance(value, tuple | dict) else [value])
    ]
    return {part for name in flat if isinstance(name, str) for part in name.split(":")}


def _flatten(place: str, section: Any) -> dict[str, Any]:
    values = json.loads(json.dumps(asdict(section)))
    kind = place.partition(".")[0]
    return {f"{place}.{key}": value for key, value in values.items()
            if value is not None and kind not in _LEFT_OUT.get(key, ())}  # fmt: skip


def _with_roles(study: Study, planned: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out the study's plan, with planned items of another role by now but still there."""
    plan = plan_of(study)
    for spec in study.specifications:
        if any(place.startswith(f"specifications.{spec.id}.") for place in planned):
            plan |= _flatten(f"specifications.{spec.id}", spec)
    for claim in study.claims:
        if any(place.startswith(f"claims.{claim.id}.") for place in planned):
            plan |= _flatten(f"claims.{claim.id}", claim)
    for variable in study.variables:
        if any(place.startswith(f"variables.{variable.name}.") for place in planned):
            plan |= _flatten(f"variables.{variable.name}", variable)
    return plan


def _compare(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Deviation]:
    """Compare two plans place by place; what came or went as a whole is told once.

    A variable that came or went is told by the specifications that name it.
    """
    told: dict[str, Deviation] = {}
    for place in sorted({*was, *now}):
        item = place.rpartition(".")[0]
        if _came_or_went(item, was, now):
            if not item.startswith("variables."):
                told[item] = Deviation(item, _whole(was, item), _whole(now, item))
        elif _differs(place, was, now):
            told[place] = Deviation(place, was.get(place), now.get(place))
    return list(told.values())


def _came_or_went(item: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether an item stands on one side only, by the key that each of its kind has."""
    key = _IDENTITY.get(item.partition(".")[0], "")
    place = f"{item}.{key}"
    return bool(key) and (place in was) != (place in now)


def _whole(plan: Mapping[str, Any], item: str) -> dict[str, Any] | None:
    found = {p.removeprefix(f"{item}."): v for p, v in plan.items() if p.startswith(f"{item}.")}
    return found or None


def _differs(place: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Compare a place; a key that a plan does not have yet stands at its default."""
    default = _default(place)
    values = [plan.get(place, default) for plan in (one, other)]
    if place.rpartition(".")[2] in _UNORDERED:
        values = [sorted(value) if isinstance(value, list) else value for value in values]
    return bool(values[0] != values[1])


def _default(place: str) -> Any:
    section = _SECTIONS.get(place.partition(".")[0])
    name = place.rpartition(".")[2]
    for item in fields(section) if section else ():
        if item.name == name and item.default is not MISSING:
            return json.loads(json.dumps(item.default))
        if item.name == name and item.default_factory is not MISSING:
            return json.loads(json.dumps(item.default_factory()))
    return None


def _with(lock: Lock, amendments: tuple[Amendment, ...]) -> Lock:
    return replace(lock, amendments=amendments)


def _seal(lock: Lock) -> Lock:
    """Give a lock the hash of its content: canonical JSON without the hash itself."""
    content = {key: value for key, value in asdict(lock).items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return replace(lock, sha256=hashlib.sha256(text.encode("utf-8")).hexdigest())


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else _value(name)


def _value(value: Any) -> str:
    """Write a TOML value; a JSON string is one, once DEL is escaped."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
