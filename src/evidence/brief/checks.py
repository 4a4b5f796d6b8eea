"""What an author wrote, checked before anything is composed of it."""

from __future__ import annotations

from collections.abc import Iterator

from evidence.brief.prose import foresee, lint_study
from evidence.language import FIELDS, check_advice, check_prose, fill, refuse
from evidence.study import Advice, Study, read_advice


def check_text(study: Study) -> None:
    """Check every text that an author wrote into a study and its advice.

    No number may be typed, and no word may say more than the designs of the claims can
    earn at best; what they have earned is checked when the brief is composed.

    Raises
    ------
    LanguageError
        Naming file, key, and number or word.
    """
    file = study.path.name
    known = {entry: dict.fromkeys(FIELDS, "") for entry in _ids(study)}
    for place, language, text in (*_filled_texts(study), *_advice_texts(study)):
        check_prose(language, text, place)
        fill(text, known, place)
    for advice in read_advice(study):
        for language in study.brief.languages:
            if language in advice.text:
                check_advice(language, advice.text[language], _place_advice(study, advice))
    for key, language, text in _fixed_texts(study):
        check_prose(language, text, f"{file}: {key}", placeholders=False)
    refuse(lint_study(study, foresee(study)))


def _filled_texts(study: Study) -> Iterator[tuple[str, str, str]]:
    """Go through the texts that may hold placeholders: place, language, text."""
    file, first = study.path.name, study.brief.languages[0]
    yield f"{file}: study.question", first, study.heading.question
    for language, prose in study.brief.text.items():
        place = f"{file}: brief.text.{language}"
        for key in ("title", "question", "background"):
            yield f"{place}.{key}", language, getattr(prose, key)
        for number, text in enumerate(prose.limits, 1):
            yield f"{place}.limits[{number}]", language, text


def _advice_texts(study: Study) -> Iterator[tuple[str, str, str]]:
    """Go through what people recommend and who reviewed it: place, language, text."""
    for advice in read_advice(study):
        place = _place_advice(study, advice)
        for language in study.brief.languages:
            yield f"{place}, text.{language}", language, advice.text.get(language, "")
        yield f"{place}, reviewed_by", study.brief.languages[0], advice.reviewed_by


def _place_advice(study: Study, advice: Advice) -> str:
    return f"{study.path.stem}.advice.toml: {advice.id}"


def _ids(study: Study) -> list[str]:
    """List the ids that placeholders may name: claims, and claims in a case."""
    claims = [claim.id for claim in study.claims]
    cases = [case.id.lower().replace("-", "_") for case in study.cases if case.values]
    return [*claims, *(f"{claim}__{case}" for claim in claims for case in cases)]


def _fixed_texts(study: Study) -> Iterator[tuple[str, str, str]]:
    """Go through the texts that are used as they stand, without placeholders."""
    languages = study.brief.languages
    yield "study.title", languages[0], study.heading.title
    for number, variable in enumerate(study.variables, 1):
        place = f"variables[{number}]"
        for language in languages:
            yield f"{place}.label.{language}", language, variable.label.get(language, "")
            yield f"{place}.noun.{language}", language, " ".join(variable.noun.get(language, ()))
        if variable.role == "outcome":
            yield f"{place}.unit", languages[0], variable.unit
    for case in study.cases:
        for language in languages:
            names = " ".join(name.get(language, "") for name in case.names)
            yield f"cases: {case.id}, name.{language}", language, names
