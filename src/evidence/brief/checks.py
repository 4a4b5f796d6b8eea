"""What an author wrote, checked before anything is composed of it."""

from __future__ import annotations

from evidence.brief.prose import foresee, lint_study
from evidence.language import FIELDS, check_prose, fill, refuse
from evidence.study import Study, read_advice


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
    filled = {"study.question": study.heading.question}
    for language, prose in study.brief.text.items():
        place = f"brief.text.{language}"
        filled |= {f"{place}.title": prose.title, f"{place}.background": prose.background}
        filled |= {f"{place}.limits[{n}]": text for n, text in enumerate(prose.limits, 1)}
    places = {f"{file}: {key}": text for key, text in filled.items()} | _advice_texts(study)
    for place, text in places.items():
        check_prose(text, place)
        fill(text, known, place)
    for key, text in _fixed_texts(study).items():
        check_prose(text, f"{file}: {key}", placeholders=False)
    refuse(lint_study(study, foresee(study)))


def _advice_texts(study: Study) -> dict[str, str]:
    """Collect what people recommend and who reviewed it: place → text."""
    texts: dict[str, str] = {}
    for advice in read_advice(study):
        place = f"{study.path.stem}.advice.toml: {advice.id}"
        texts |= {f"{place}, text.{k}": text for k, text in advice.text.items()}
        texts[f"{place}, reviewed_by"] = advice.reviewed_by
    return texts


def _ids(study: Study) -> list[str]:
    """List the ids that placeholders may name: claims, and claims in a case."""
    claims = [claim.id for claim in study.claims]
    cases = [case.id.lower().replace("-", "_") for case in study.cases if case.values]
    return [*claims, *(f"{claim}__{case}" for claim in claims for case in cases)]


def _fixed_texts(study: Study) -> dict[str, str]:
    """Collect the texts that are used as they stand, without placeholders."""
    texts = {"study.title": study.heading.title}
    for number, variable in enumerate(study.variables, 1):
        place = f"variables[{number}]"
        texts |= {f"{place}.label.{k}": text for k, text in variable.label.items()}
        texts |= {f"{place}.noun.{k}": " ".join(pair) for k, pair in variable.noun.items()}
        if variable.role == "outcome":
            texts[f"{place}.unit"] = variable.unit
    for case in study.cases:
        texts |= {f"cases: {case.id}, name.{k}": text for k, text in case.label.items()}
    return texts
