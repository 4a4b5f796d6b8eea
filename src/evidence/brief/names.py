"""Names of what a questionnaire asks about, in the language of a brief."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evidence.errors import BriefError
from evidence.packs import Questionnaire, load_questionnaire
from evidence.sources import load_record
from evidence.study import Study


def name_points(study: Study, language: str, items: Iterable[str]) -> list[str]:
    """Name the compliance points that questions belong to, each once.

    Raises
    ------
    BriefError
        Where the questionnaire does not name one in the language.
    """
    packs = _packs(study)
    owner = {question.id: question.point for pack in packs for question in pack.questions}
    points = [owner.get(item, item.partition(".")[0]) for item in items]
    return [_name(packs, language, point) for point in dict.fromkeys(points)]


def name_part(study: Study, language: str, definition: Mapping[str, Any]) -> str:
    """Name the point or cluster that an outcome counts; empty where it counts all of them.

    Raises
    ------
    BriefError
        Where the questionnaire does not name it in the language.
    """
    return _name(_packs(study), language, definition["part"]) if definition["part"] else ""


def _packs(study: Study) -> list[Questionnaire]:
    names = {load_record(study.root, source).questionnaire for source in study.data.sources}
    return [load_questionnaire(study.root, name) for name in sorted(names - {""})]


def _name(packs: Iterable[Questionnaire], language: str, part: str) -> str:
    found = {c.id: (pack.id, c.name) for pack in packs for c in pack.clusters}
    found |= {p.id: (pack.id, p.name) for pack in packs for p in pack.points}
    pack, known = found.get(part, ("", {}))
    if language not in known:
        raise BriefError(
            f"data/questionnaires/{pack or '<id>'}.toml: '{part}'",
            seen=f"no name.{language}",
            expected="a name in every language of the brief",
            do=f"Add name.{language} = … there; no other language stands in for it.",
        )
    return known[language]
