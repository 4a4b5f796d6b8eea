"""Words of a study in each language of its brief; none stands in for another.

Names in a study file are English: where it declares no English label, the name stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence.errors import StudyError
from evidence.study.noun import Study
from evidence.study.sections import Prose, Specification

_UNITS = ("share", "indicator", "log points", "percent", "percentage points", "score")
"""Units that every language has words for."""

_PACKS = {"country": "countries", "sector": "sectors"}
_NAMED_IN = "en"
"""Language that the names of variables are in."""


def label_of(study: Study, language: str, name: str) -> str:
    """Give the label of a variable.

    Raises
    ------
    StudyError
        Where the study declares none in this language.
    """
    variable = study.variable(name)
    if language in variable.label:
        return variable.label[language]
    if language == _NAMED_IN:
        return name.replace("_", " ")
    raise _missing(study, f"variables '{name}'", f"label.{language}", language)


def nouns_of(study: Study, language: str) -> tuple[str, str]:
    """Give the noun of the entity, singular and plural, as ``label_of`` gives labels.

    Raises
    ------
    StudyError
        Where the study declares none in this language.
    """
    entity = study.entity
    if language in entity.noun:
        return entity.noun[language]
    if language == _NAMED_IN:
        return entity.name, entity.name
    raise _missing(study, f"variables '{entity.name}'", f"noun.{language}", language)


def names_of_case(study: Study, language: str, case: str) -> tuple[str, ...]:
    """Give the names of what a case combines, such as a country and a sector.

    Raises
    ------
    StudyError
        Where a pack has no name in this language. What is no case of the study any more
        is named by its id.
    """
    found = next((item for item in study.cases if item.id == case), None)
    if found is None or not found.names:
        return (case,)
    for (key, value), names in zip(found.values.items(), found.names, strict=True):
        if language not in names:
            place = f"data/{_PACKS[key]}/{value}.toml"
            raise _missing(study, place, f"name.{language}", language, file=place)
    return tuple(names[language] for names in found.names)


def question_of(study: Study, language: str) -> str:
    """Give the question in a language; empty where it was not written in it.

    ``study.question`` is in the first language of the brief, ``brief.text.<language>``
    holds it in the others.
    """
    own = study.brief.text.get(language, Prose()).question
    first = study.heading.question if language == study.brief.languages[0] else ""
    return own or first


def check_words(study: Study) -> None:
    """Check that everything a brief names has its words in each of the brief's languages.

    Raises
    ------
    StudyError
        Naming file, key and what to add.
    """
    first = study.brief.languages[0]
    for language in study.brief.languages:
        nouns_of(study, language)
        for name in _shown(study):
            label_of(study, language, name)
        for case in study.cases:
            names_of_case(study, language, case.id)
        if language != first:
            _check_units(study, language)


def _shown(study: Study) -> list[str]:
    """List the variables that a brief may name."""
    specs = [spec for spec in study.specifications if spec.role != "replication"]
    return list(dict.fromkeys(name for spec in specs for name in _names(spec)))


def _names(spec: Specification) -> Iterator[str]:
    yield from (spec.outcome, *spec.exposures, *spec.moderators, *spec.controls, *spec.instruments)


def _check_units(study: Study, language: str) -> None:
    for number, variable in enumerate(study.variables, 1):
        if variable.role == "outcome" and variable.unit not in _UNITS:
            raise StudyError(
                f"{study.path.name}: variables[{number}].unit",
                seen=f"'{variable.unit}', which has no words in '{language}'",
                expected=f"one of {', '.join(_UNITS)} in a brief of several languages",
                do=f"Change the unit, or take '{language}' out of brief.languages.",
            )


def _missing(study: Study, where: str, key: str, language: str, *, file: str = "") -> StudyError:
    return StudyError(
        where if file else f"{study.path.name}: {where}",
        seen=f"no {key}",
        expected=f"words in every language of the brief, '{language}' among them",
        do=f"Add {key} = … there; no other language stands in for it.",
    )
