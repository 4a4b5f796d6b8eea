"""Load packs and check that their parts refer to each other."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from evidence.errors import StudyError
from evidence.packs.sections import (
    STEPS,
    Asked,
    Country,
    Dating,
    Law,
    LawVersion,
    PolicyEvent,
    Questionnaire,
    Sector,
    Version,
)
from evidence.toml import check_sections, nearest, read_toml

_FOLDERS: dict[type[Any], tuple[str, str]] = {
    Country: ("countries", "iso3"),
    Sector: ("sectors", "id"),
    Questionnaire: ("questionnaires", "id"),
    Law: ("laws", "country"),
    PolicyEvent: ("events", "id"),
}
_T = TypeVar("_T", Country, Sector, Questionnaire, Law, PolicyEvent)


def load_country(root: Path, iso3: str, *, where: str = "country") -> Country:
    """Load ``data/countries/<iso3>.toml``.

    Raises
    ------
    StudyError
        Where there is no such pack or a key of it is wrong.
    """
    return read_pack(Country, root, iso3, where=where)


def load_sector(root: Path, sector: str, *, where: str = "sector") -> Sector:
    """Load ``data/sectors/<sector>.toml``.

    Raises
    ------
    StudyError
        Where there is no such pack, a key of it is wrong or a measure stands twice.
    """
    pack = read_pack(Sector, root, sector, where=where)
    _check_unique(f"sectors/{sector}.toml", "measures", (m.id for m in pack.measures))
    return pack


def load_questionnaire(
    root: Path, questionnaire: str, *, where: str = "questionnaire"
) -> Questionnaire:
    """Load ``data/questionnaires/<questionnaire>.toml``.

    Raises
    ------
    StudyError
        Where there is no such pack, a key of it is wrong, an id stands twice, a part
        refers to one that is not there, a code may stand for two questions, or two
        versions cannot be told apart.
    """
    pack = read_pack(Questionnaire, root, questionnaire, where=where)
    _check_questionnaire(pack, f"questionnaires/{questionnaire}.toml")
    return pack


def load_law(root: Path, country: str) -> Law:
    """Load ``data/laws/<country>.toml``; without a file, a law without rules.

    Raises
    ------
    StudyError
        Where a key of it is wrong, a rule stands twice or decides a question that no
        questionnaire of the project has, or its versions do not follow each other.
    """
    if not (root / "data" / "laws" / f"{country}.toml").is_file():
        return Law(country)
    pack = read_pack(Law, root, country, where="law")
    where = f"laws/{country}.toml"
    _check_unique(where, "rules", (rule.id for rule in pack.rules))
    told = [(rule.id, question) for rule in pack.rules for question in rule.questions]
    known = _list_questions(root)
    if known:
        _check_known(where, "rules", "questions", told, known)
    for rule in pack.rules:
        for version in rule.versions:
            _check_bounds(version, f"{where}: rules '{rule.id}'.versions")
        days = [_day(version.in_force, f"{where}: rules '{rule.id}'") for version in rule.versions]
        if days != sorted(set(days)):
            raise StudyError(
                f"{where}: rules '{rule.id}'.versions",
                seen=f"in_force {', '.join(version.in_force for version in rule.versions)}",
                expected="days that follow each other, each once",
                do="Put the versions in the order in which they came into force.",
            )
    return pack


def load_events(root: Path) -> tuple[PolicyEvent, ...]:
    """Load the registry of policy events, ``data/events/*.toml``, by their ids.

    Raises
    ------
    StudyError
        Where a key of an event is wrong, a day is none, the same source dates a step of a
        place twice, nothing says whom it reaches, or a placebo came into force.
    """
    paths = sorted((root / "data" / "events").glob("*.toml"))
    events = tuple(read_pack(PolicyEvent, root, path.stem, where="event") for path in paths)
    for event in events:
        _check_event(event, f"events/{event.id}.toml")
    return events


def start_of(dating: Dating) -> date:
    """Give the first day that a date may mean: of its year or month where it tells no day."""
    return date.fromisoformat(f"{dating.date}-01-01"[:10])


def _check_event(event: PolicyEvent, where: str) -> None:
    for dating in event.dates:
        _day(f"{dating.date}-01-01"[:10], f"{where}: dates")
        if not (dating.places or event.country):
            raise StudyError(
                f"{where}: dates, {dating.step}",
                seen="neither places nor a country",
                expected="whom the date is for",
                do="Name the country of the event, or the places of the date.",
            )
    told = [
        f"{dating.step} of {place or event.country} by {dating.source}"
        for dating in event.dates
        for place in dating.places or ("",)
    ]
    _check_unique(where, "dates", told)
    if event.placebo and any(dating.step == "in_force" for dating in event.dates):
        raise StudyError(
            f"{where}: placebo",
            seen="a date of coming into force",
            expected="an event that never came into force",
            do=f"Take placebo away, or the date; the steps are {', '.join(STEPS)}.",
        )


def _list_questions(root: Path) -> list[str]:
    """List the questions of every questionnaire of a project."""
    paths = sorted((root / "data" / "questionnaires").glob("*.toml"))
    packs = [read_pack(Questionnaire, root, path.stem, where="questionnaire") for path in paths]
    return [question.id for pack in packs for question in pack.questions]


def read_pack(kind: type[_T], root: Path, name: str, *, where: str) -> _T:
    """Read a pack by its kind and name.

    Raises
    ------
    StudyError
        Where there is no such file, a key of it is wrong, or it names itself otherwise.
    """
    folder, key = _FOLDERS[kind]
    file = root / "data" / folder / f"{name}.toml"
    if Path(name).name != name or not file.is_file():
        known = [p.stem for p in sorted((root / "data" / folder).glob("*.toml"))]
        raise StudyError(
            where,
            seen=f"'{name}'",
            expected=f"one of {', '.join(known)}" if known else f"a pack in data/{folder}/",
            do=f"Choose one, or add data/{folder}/{name}.toml{nearest(name, known)}.",
        )
    raw = read_toml(file, StudyError)
    pack = check_sections(kind, raw, StudyError, where=file.name, guide="docs/packs.md")
    own = getattr(pack, key)
    if own != name:
        raise StudyError(
            file.name,
            seen=f"'{own}'",
            expected=f"'{name}', the file's own name",
            do="Rename the file or the code in it.",
        )
    return pack


def hash_packs(root: Path) -> str:
    """Hash every pack of a project, as SHA-256 in hexadecimal digits."""
    digest = hashlib.sha256()
    for folder, _ in sorted(_FOLDERS.values()):
        for path in sorted((root / "data" / folder).glob("*.toml")):
            digest.update(f"{folder}/{path.name}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def list_packs(
    root: Path, case: Mapping[str, str], questionnaires: Iterable[str]
) -> dict[str, str]:
    """Hash the packs that a case may read, path → SHA-256.

    Those of its country and sector, all of them where it has none. Of other sectors only the
    names of measures count: a case must not use them. A law is that of the country.

    Parameters
    ----------
    case : mapping
        Values of the study's ``[cases]``.
    questionnaires : iterable of str
        Ids that the sources' records name.
    """
    country, sector = case.get("country", "*"), case.get("sector", "*")
    found = {}
    for folder, name in (
        ("countries", country),
        ("laws", country),
        ("sectors", sector),
        *(("questionnaires", questionnaire) for questionnaire in questionnaires),
    ):
        for path in sorted((root / "data" / folder).glob(f"{name}.toml")):
            found[f"data/{folder}/{path.name}"] = _hash(path.read_bytes())
    if "sector" in case:
        others = [path.stem for path in sorted((root / "data" / "sectors").glob("*.toml"))]
        names = {s: [m.id for m in load_sector(root, s).measures] for s in others if s != sector}
        found["measures of other sectors"] = _hash(repr(names).encode())
    return found


def list_registry(root: Path) -> dict[str, str]:
    """Hash the registry of policy events, path → SHA-256."""
    paths = sorted((root / "data" / "events").glob("*.toml"))
    return {f"data/events/{path.name}": _hash(path.read_bytes()) for path in paths}


def _hash(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _check_bounds(version: LawVersion, where: str) -> None:
    """Refuse bounds that no answer can meet, or that are no numbers."""
    least = -math.inf if version.at_least is None else version.at_least
    most = math.inf if version.at_most is None else version.at_most
    if not least <= most:
        raise StudyError(
            where,
            seen=f"at_least {least:g} and at_most {most:g} from {version.in_force}",
            expected="numbers, the least not above the most",
            do="Mend the bounds as the law states them.",
        )


def _check_questionnaire(pack: Questionnaire, where: str) -> None:
    for part, ids in (
        ("clusters", [c.id for c in pack.clusters]),
        ("points", [p.id for p in pack.points]),
        ("questions", [q.id for q in pack.questions]),
        ("indices", [i.id for i in pack.indices]),
        ("pairs", [p.id for p in pack.pairs]),
        ("measures", [m.id for m in pack.measures]),
        ("versions", [_spell_start(v, c) for v in pack.versions for c in v.countries or ("",)]),
    ):
        _check_unique(where, part, ids)
    _check_references(pack, where)
    _check_versions(pack, where)
    _check_codes(pack, where)


def _check_references(pack: Questionnaire, where: str) -> None:
    points = [point.id for point in pack.points]
    questions = [question.id for question in pack.questions]
    versions = sorted({version.id for version in pack.versions})
    clusters = [cluster.id for cluster in pack.clusters]
    _check_known(where, "points", "cluster", [(p.id, p.cluster) for p in pack.points], clusters)
    _check_known(where, "questions", "point", [(q.id, q.point) for q in pack.questions], points)
    told = [(q.id, v) for q in pack.questions for asked in q.asked for v in asked.versions]
    _check_known(where, "questions", "version", told, versions)
    for index in pack.indices:
        _check_known(where, "indices", "points", [(index.id, p) for p in index.points], points)
        parts = [(index.id, question) for question in index.questions]
        _check_known(where, "indices", "questions", parts, questions)
        if not (index.questions or index.points or index.columns):
            raise StudyError(
                f"{where}: indices '{index.id}'",
                seen="no parts",
                expected="questions, points or columns",
                do="Name the parts of the index, or remove it.",
            )


def _spell_start(version: Version, country: str) -> str:
    return " ".join(filter(None, (version.id, country, version.first_day)))


def _check_versions(pack: Questionnaire, where: str) -> None:
    modes: dict[str, str] = {}
    begun: dict[tuple[str, str], str] = {}
    for version in pack.versions:
        place = f"{where}: versions '{version.id}'"
        mode = modes.setdefault(version.id, version.mode)
        if mode != version.mode:
            raise StudyError(
                place,
                seen=f"mode '{version.mode}' in one place and '{mode}' in another",
                expected="one mode a version",
                do="Give the version in the other mode an id of its own.",
            )
        if not version.first_day:
            continue
        _day(version.first_day, place)
        for country in version.countries or ("",):
            other = begun.setdefault((version.first_day, country), version.id)
            if other != version.id:
                raise StudyError(
                    place,
                    seen=f"first_day {version.first_day}, that of '{other}' too",
                    expected="one version to begin on a day in a country",
                    do="Mend the day, or name the countries of each.",
                )


def _check_codes(pack: Questionnaire, where: str) -> None:
    """Check that no code may stand for two questions where the crosswalk cannot choose.

    The crosswalk takes the entry with more limits, so only entries with as many that
    overlap leave it no choice.
    """
    entries: dict[tuple[str, int], list[tuple[str, Asked]]] = {}
    for question in pack.questions:
        for asked in question.asked or (Asked(),):
            key = (asked.code or question.id, sum(map(bool, _limits(asked))))
            others = entries.setdefault(key, [])
            for other, entry in others:
                if other != question.id and _overlap(asked, entry):
                    raise StudyError(
                        f"{where}: questions '{question.id}'.asked",
                        seen=f"code '{key[0]}', which may stand for '{other}' as well",
                        expected="a code to stand for one question in a country, version and mode",
                        do="Name the countries, versions or modes in which each is asked.",
                    )
            others.append((question.id, asked))


def _limits(asked: Asked) -> tuple[tuple[str, ...], ...]:
    return asked.countries, asked.versions, asked.modes


def _overlap(one: Asked, other: Asked) -> bool:
    pairs = zip(_limits(one), _limits(other), strict=True)
    return all(not a or not b or set(a) & set(b) for a, b in pairs)


def _check_unique(where: str, part: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise StudyError(
                f"{where}: {part}",
                seen=f"'{name}' more than once",
                expected="each id once",
                do="Rename one of them, or join them.",
            )
        seen.add(name)


def _check_known(
    where: str, part: str, key: str, pairs: list[tuple[str, str]], known: list[str]
) -> None:
    for name, value in pairs:
        if value not in known:
            raise StudyError(
                f"{where}: {part} '{name}'.{key}",
                seen=f"'{value}'",
                expected=f"one of {', '.join(known)}",
                do=f"Rename it or add it{nearest(value, known)}.",
            )


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise StudyError(
            where,
            seen=f"'{text}'",
            expected="a day of the calendar, as in 2021-01-01",
            do="Mend the day.",
        ) from error
