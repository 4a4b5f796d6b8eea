"""The linter at work on a study: its texts, its advice, its notebooks, its composed brief."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from evidence.brief.told import is_found
from evidence.errors import EvidenceError
from evidence.language import Flaw, Strength, list_flaws, list_numbers, strength_of, weakest
from evidence.run import load_notebook
from evidence.study import Claim, Specification, Study, list_slugs, load_study, read_advice

_DESIGNS = {
    "between": "between",
    **dict.fromkeys(("random_effects", "mundlak"), "random"),
    **dict.fromkeys(("iv_2sls", "iv_liml", "iv_gmm"), "instrument"),
    **dict.fromkeys(("difference_gmm", "system_gmm"), "dynamic"),
    **dict.fromkeys(("callaway_santanna", "sun_abraham", "imputation"), "adoption"),
    "first_differences": "within",
}
_FOLLOWING = {"fixed_effects", "poisson", "pooled_cells", "shift_share"}
"""Estimators that follow entities where these are among the effects."""

_CAUSAL_LEVEL = 4
"""Least Maryland level of a finding that may be worded as a cause."""

_PASSED_OVER = ("question", *(f"sections.{name}." for name in ("source", "background", "limits",
                                                               "advice", "replies", "imprint")))  # fmt: skip
_CODES = {"slug", "language", "audience", "direction", "id", "kind", "name", "tone", "rests", "claim",
          "source", "topics", "code", "cautions"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Earned:
    """What a study's prose may say: without a placeholder, and with one of a claim."""

    prose: Strength
    claims: dict[str, Strength]


def design_of(spec: Specification) -> str:
    """Name the design of a specification from estimator and effects, before it has run."""
    if spec.estimator in _DESIGNS:
        return _DESIGNS[spec.estimator]
    followed = spec.estimator in _FOLLOWING and "entity" in spec.effects
    return "within" if followed else "pooled"


def foresee(study: Study) -> Earned:
    """Foresee what the claims of a study can earn at best, before it has run.

    Prose without a placeholder is held to the weakest of the claims, as a reader cannot
    tell on which of them it rests.
    """
    own = {c.id: strength_of(design_of(study.specification(c.specification))) for c in study.claims}
    cases = [case.id.lower().replace("-", "_") for case in study.cases if case.values]
    local = {f"{claim}__{case}": best for claim, best in own.items() for case in cases}
    return Earned(weakest(own.values()), {**own, **local})


def judge(study: Study, entries: list[dict[str, Any]]) -> Earned:
    """Judge what the claims of a study have earned, from the entries of ``findings.json``.

    A sentence with a claim's placeholder may claim no direction where the finding has none.
    """
    best = foresee(study)
    findings = [entry for entry in entries if entry["kind"] == "finding"]
    claims = dict(best.claims)
    for entry in entries:
        group = [f for f in findings if f["claim"] == entry["claim"]]
        told = [f for f in group if f["direction"] == entry["direction"]] or group
        shown = told if entry["kind"] == "comparison" else [entry]
        strength = weakest(_earned_by(finding) for finding in shown)
        claims[entry["id"]] = strength if is_found(entry) else "nothing"
    prose = weakest(_earned_by(finding) for finding in findings) if findings else best.prose
    return Earned(weakest([prose, best.prose]), claims)


def _earned_by(finding: Mapping[str, Any]) -> Strength:
    moderated = finding["wording"] == "moderated"
    strength = strength_of(finding["design"] if moderated else finding["wording"])
    if strength == "cause" and finding["grade"]["level"] < _CAUSAL_LEVEL:
        return "within"
    return weakest([strength, "within"]) if moderated else strength


def lint_study(study: Study, earned: Earned) -> tuple[Flaw, ...]:
    """List what the texts of a study and of its advice say without having earned it."""
    claims = tuple(earned.claims.items())
    found: list[Flaw] = []
    for place, language, text in _texts(study):
        flaws = _unearned(language, text, earned.prose, claims)
        found += _put(flaws, f"{study.path.name}: {place}")
    for advice in read_advice(study):
        own = earned.claims[advice.claim]
        for language in study.brief.languages:
            flaws = _unearned(language, advice.text.get(language, ""), own, claims)
            found += _put(flaws, f"{study.path.stem}.advice.toml: {advice.id}, text.{language}")
    return tuple(found)


def lint_notebooks(study: Study) -> tuple[Flaw, ...]:
    """List unearned words, decimals and percentages in the prose of a study's notebooks.

    A notebook is held to the weakest of the claims that it runs. Notebooks that no study
    names (a data report) claim nothing, and are held to an association.
    """
    earned = foresee(study)
    found: list[Flaw] = []
    for name in study.notebooks:
        claims = [claim for claim in study.claims if _notebook_of(study, claim) == name]
        strength = weakest(earned.claims[claim.id] for claim in claims)
        found += lint_notebook(study, name, strength, earned.claims)
    for name in _unclaimed(study):
        found += lint_notebook(study, name, "association", {})
    return tuple(found)


def _unclaimed(study: Study) -> list[str]:
    """List the project's notebooks that no study names."""
    there = {path.stem for path in (study.root / "notebooks").glob("*.ipynb")}
    for slug in list_slugs(study.root):
        try:
            other = load_study(study.path.with_name(f"{slug}.toml"))
        except EvidenceError:
            there.discard(slug)
        else:
            there -= set(other.notebooks)
    return sorted(there - set(study.notebooks))


def lint_notebook(
    study: Study, name: str, strength: Strength, claims: Mapping[str, Strength]
) -> tuple[Flaw, ...]:
    """List unearned words, decimals and percentages in a notebook's prose, cell by cell."""
    path = study.root / "notebooks" / f"{name}.ipynb"
    language = study.brief.languages[0]
    found: list[Flaw] = []
    for cell in load_notebook(path).cells:
        if cell.cell_type != "code":
            place = f"{path.name}: cell '{cell.id}'"
            found += list_flaws(language, cell.source, place, strength, claims)
            found += list_numbers(language, cell.source, place)
    return tuple(found)


def lint_page(
    language: str, model: Mapping[str, Any], earned: Earned, own: Mapping[str, Strength]
) -> tuple[Flaw, ...]:
    """List unearned words in everything that a composed brief says, its messages included.

    ``own`` holds the strength of places that are about one claim. Passed over are the
    source lines, which name published works and questions, and prose that was linted
    before its placeholders were filled.
    """
    found: list[Flaw] = []
    for place, text in _strings(model, ""):
        if place.startswith(_PASSED_OVER):
            continue
        strength = own.get(place, earned.prose)
        found += _put(_unearned(language, text, strength), f"brief.{language}: {place}")
    return tuple(found)


@functools.lru_cache(maxsize=8192)
def _unearned(
    language: str, text: str, strength: Strength, claims: tuple[tuple[str, Strength], ...] = ()
) -> tuple[Flaw, ...]:
    """List the unearned words of a text; versions of a brief share most of theirs."""
    return list_flaws(language, text, "", strength, dict(claims))


def _put(flaws: tuple[Flaw, ...], place: str) -> Iterator[Flaw]:
    return (replace(flaw, place=place) for flaw in flaws)


def _notebook_of(study: Study, claim: Claim) -> str:
    return study.specification(claim.specification).notebook


def _strings(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _CODES:
                yield from _strings(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value, 1):
            named = (
                f".{item['id']}" if isinstance(item, Mapping) and "id" in item else f"[{number}]"
            )
            yield from _strings(item, f"{place}{named}")
    elif isinstance(value, str) and not value.startswith("data:"):
        yield place, value


def _texts(study: Study) -> Iterator[tuple[str, str, str]]:
    """Go through the texts of a study file: place, language, text."""
    first = study.brief.languages[0]
    yield "study.title", first, study.heading.title
    yield "study.question", first, study.heading.question
    for language, prose in study.brief.text.items():
        place = f"brief.text.{language}"
        yield f"{place}.title", language, prose.title
        yield f"{place}.question", language, prose.question
        yield f"{place}.background", language, prose.background
        for number, text in enumerate(prose.limits, 1):
            yield f"{place}.limits[{number}]", language, text
    for number, variable in enumerate(study.variables, 1):
        for language in study.brief.languages:
            place = f"variables[{number}]"
            yield f"{place}.label.{language}", language, variable.label.get(language, "")
            yield f"{place}.noun.{language}", language, " ".join(variable.noun.get(language, ()))
    for case in study.cases:
        for language in study.brief.languages:
            names = ", ".join(name.get(language, "") for name in case.names)
            yield f"cases: {case.id}, name.{language}", language, names
