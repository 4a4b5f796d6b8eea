"""Check that the parts of a study refer to each other."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields

from evidence.errors import StudyError
from evidence.study.noun import Study
from evidence.study.sections import Claim, Specification, Variable
from evidence.toml import nearest


def check_references(study: Study) -> None:
    """Check names, roles, designs, notebooks and claims of a study against each other.

    Raises
    ------
    StudyError
        Naming file, key, what was seen, what was expected and what to do.
    """
    _check_unique(study)
    _check_roles(study)
    _check_units(study)
    names = [v.name for v in study.variables]
    for language in study.brief.text:
        if language not in study.brief.languages:
            raise StudyError(
                f"{study.path.name}: brief.text.{language}",
                seen=f"text in '{language}'",
                expected=f"one of the brief's languages: {', '.join(study.brief.languages)}",
                do="Add the language to brief.languages, or remove the text.",
            )
    for number, spec in enumerate(study.specifications, 1):
        used = {
            "outcome": (spec.outcome,),
            "exposure": spec.exposures,
            "controls": spec.controls,
            "instruments": spec.instruments,
            "moderators": spec.moderators,
            "shares": spec.shares,
        }
        for key, values in used.items():
            for name in values:
                if name not in names:
                    raise StudyError(
                        f"{study.path.name}: specifications[{number}].{key}",
                        seen=f"'{name}'",
                        expected=f"a declared variable: {', '.join(names)}",
                        do=f"Declare it in [[variables]] or rename it{nearest(name, names)}.",
                    )
        _check_specification(study, spec, number)
        _check_notebook(study, spec, number)
    for number, claim in enumerate(study.claims, 1):
        _check_claim(study, claim, number)


def _check_unique(study: Study) -> None:
    lists = {
        "variables": [v.name for v in study.variables],
        "specifications": [s.id for s in study.specifications],
        "claims": [c.id for c in study.claims],
    }
    for section, names in lists.items():
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise StudyError(
                f"{study.path.name}: {section}",
                seen=f"'{twice[0]}' stands more than once",
                expected="each name once",
                do="Rename or remove the second one.",
            )
    if study.path.stem != study.slug:
        raise StudyError(
            f"{study.path.name}: study.slug",
            seen=f"'{study.slug}'",
            expected=f"'{study.path.stem}', the file's own name",
            do="Rename the file or the slug.",
        )


def _check_units(study: Study) -> None:
    for number, variable in enumerate(study.variables, 1):
        _check_scale(variable, f"{study.path.name}: variables[{number}]")
        if variable.role != "outcome":
            continue
        logarithm = re.match("(d_|lag1_|lead1_)*log_", variable.name) is not None
        odd = variable.unit.startswith("log") and variable.unit != "log points"
        if odd or (logarithm and variable.unit != "log points"):
            raise StudyError(
                f"{study.path.name}: variables[{number}].unit",
                seen=f"'{variable.unit}' for {variable.name}",
                expected="'log points' for a logarithm, and for nothing else",
                do="The unit decides between per cent and the outcome's own unit: mend it.",
            )


def _check_scale(variable: Variable, where: str) -> None:
    scored = variable.role == "outcome" and variable.unit == "score"
    scale = variable.scale
    if scored != (scale is not None) or (scale and scale.best == scale.worst):
        raise StudyError(
            f"{where}.scale",
            seen=f"{'no scale' if scale is None else 'a scale'} of an {variable.role} in "
            f"'{variable.unit}'"
            if scored != (scale is not None)
            else "a best score that is the worst one",
            expected="both ends of each outcome in 'score', and of nothing else",
            do="Say which end is which, such as scale = { best = 0, worst = 10 }: a reader "
            "cannot tell whether a rise is good.",
        )


def _check_roles(study: Study) -> None:
    for role in ("entity", "time"):
        count = sum(v.role == role for v in study.variables)
        if count != 1:
            raise StudyError(
                f"{study.path.name}: variables",
                seen=f"{count} variables with role '{role}'",
                expected="exactly one",
                do=f"Give the role '{role}' to the variable that is it.",
            )


_KEYS = {"entity", "time", "cluster"}
_EFFECTS: dict[str, set[str]] = {
    "pooled_ols": {"time"},
    "between": set(),
    "random_effects": {"time"},
    "fixed_effects": {"entity", "time"},
    "first_differences": {"time"},
    "mundlak": {"time"},
    "iv_2sls": {"entity", "time"},
    "iv_liml": {"entity", "time"},
    "iv_gmm": {"entity", "time"},
    "difference_gmm": {"time"},
    "system_gmm": {"time"},
    "poisson": {"entity", "time"},
    "fractional": {"entity", "time"},
    "callaway_santanna": set(),
    "sun_abraham": set(),
    "imputation": set(),
    "pooled_cells": {"entity", "time"},
    "shift_share": {"entity", "time"},
    "interval_censored": {"time"},
}
_ABSORBING = {"fixed_effects", "iv_2sls", "iv_liml", "iv_gmm", "poisson", "shift_share"}
_GMM = {"difference_gmm", "system_gmm"}
_OPTIONS: dict[str, set[str]] = {
    "convention": {"pooled_ols", "fixed_effects"},
    "moderators": {"pooled_ols", "fixed_effects", "shift_share"},
    "shares": {"shift_share"},
    "instruments": {"iv_2sls", "iv_liml", "iv_gmm"},
    "compared_with": {"callaway_santanna"},
    "lags": _GMM,
    "regressor_lags": _GMM,
    "predetermined": _GMM,
    "endogenous": _GMM,
    "steps": _GMM,
    "collapse": _GMM,
}
"""Which estimators take a key that is not for all."""


def _check_specification(study: Study, spec: Specification, number: int) -> None:
    where = f"{study.path.name}: specifications[{number}]"
    used = [spec.outcome, *spec.regressors, *spec.instruments]
    twice = sorted({name for name in used if used.count(name) > 1})
    if twice or not spec.exposures:
        raise StudyError(
            f"{where}.exposure",
            seen=f"'{twice[0]}' more than once" if twice else "none",
            expected="at least one exposure, and each variable in one part only",
            do="Name it once, as outcome, exposure or control.",
        )
    parts = {
        "outcome": (spec.outcome,),
        "exposure": spec.exposures,
        "controls": spec.controls,
        "instruments": spec.instruments,
    }
    for key, names in parts.items():
        for name in names:
            role = study.variable(name).role
            if role in _KEYS:
                raise StudyError(
                    f"{where}.{key}",
                    seen=f"'{name}', whose role is '{role}'",
                    expected="a variable with role outcome, exposure or control",
                    do="Choose another variable, or change its role in [[variables]].",
                )
    allowed = _list_effects(study, spec)
    odd = [name for name in spec.effects if name not in allowed or spec.effects.count(name) > 1]
    if odd or (spec.estimator == "fixed_effects" and not spec.effects):
        raise StudyError(
            f"{where}.effects",
            seen=f"{', '.join(spec.effects) or 'none'} with {spec.estimator}",
            expected=f"{' and '.join(sorted(allowed)) or 'none'}, each at most once",
            do="Change 'effects' or 'estimator'.",
        )
    _check_options(study, spec, where)


def _check_options(study: Study, spec: Specification, where: str) -> None:
    plain = {item.name: item.default for item in fields(Specification)}
    for key, estimators in _OPTIONS.items():
        value = getattr(spec, key)
        default = plain[key] if plain[key] is not MISSING else {}
        if value != default and spec.estimator not in estimators:
            raise StudyError(
                f"{where}.{key}",
                seen=f"'{key}' with {spec.estimator}",
                expected=f"it only with {' or '.join(sorted(estimators))}",
                do=f"Take '{key}' out, or change the estimator.",
            )
    if spec.estimator in _OPTIONS["instruments"] and not spec.instruments:
        raise StudyError(
            f"{where}.instruments",
            seen="none",
            expected="at least one for each exposure",
            do="Name the variables that move the exposure and nothing else.",
        )
    if spec.estimator == "shift_share" and not (spec.shares and spec.effects):
        raise StudyError(
            f"{where}.{'effects' if spec.shares else 'shares'}",
            seen="none",
            expected="the shares that the exposure is made with, and effects to take out",
            do="Name a variable for each unit of the shocks, and effects such as entity and time.",
        )
    _check_past(spec, where)
    if spec.estimator in {"callaway_santanna", "sun_abraham", "imputation"}:
        _check_adoption(study, spec, where)
    if spec.estimator == "pooled_cells":
        _check_cells(study, spec, where)


def _check_past(spec: Specification, where: str) -> None:
    keys = ("regressor_lags", "predetermined", "endogenous")
    for key in keys:
        odd = [name for name in getattr(spec, key) if name not in spec.regressors]
        if key == "endogenous":
            odd += [name for name in spec.endogenous if name in spec.predetermined]
        if odd:
            raise StudyError(
                f"{where}.{key}",
                seen=f"'{odd[0]}'",
                expected=f"exposures and controls, each in one list: {', '.join(spec.regressors)}",
                do="Name a regressor of this specification, once.",
            )


def _check_adoption(study: Study, spec: Specification, where: str) -> None:
    units = [study.variable(name).unit for name in spec.exposures]
    if units != ["indicator"]:
        raise StudyError(
            f"{where}.exposure",
            seen=f"{', '.join(spec.exposures)} in {', '.join(units)}",
            expected="one exposure whose unit is 'indicator': 0 before adoption, 1 from then on",
            do="Choose the indicator of adoption as the exposure.",
        )


def _check_cells(study: Study, spec: Specification, where: str) -> None:
    """Check that the cells are named by a cluster variable, and entities followed within them."""
    levels = [v.level for v in study.variables if v.role == "cluster"]
    if spec.clusters not in levels or "entity" not in spec.effects:
        raise StudyError(
            f"{where}.clusters",
            seen=f"clusters '{spec.clusters}' and effects {', '.join(spec.effects) or 'none'}",
            expected="clusters at the level of a variable with role cluster, whose values are the "
            "cells, and entity among the effects",
            do="Declare the column that names the cells, and give clusters its level.",
        )


def _list_effects(study: Study, spec: Specification) -> set[str]:
    """List the effects that an estimator can take: with fixed effects also cells of two."""
    single = set(_EFFECTS[spec.estimator])
    if spec.estimator not in _ABSORBING:
        return single
    single |= {v.name for v in study.variables if v.role == "cluster"}
    cells = {f"{one}:{other}" for one in single for other in single if one != other}
    return single | cells - {"entity:time", "time:entity"}


def _check_notebook(study: Study, spec: Specification, number: int) -> None:
    folder = study.root / "notebooks"
    known = [p.stem for p in sorted(folder.glob("*.ipynb"))]
    if spec.notebook not in known:
        raise StudyError(
            f"{study.path.name}: specifications[{number}].notebook",
            seen=f"'{spec.notebook}'",
            expected=f"a notebook of notebooks/, without .ipynb: {', '.join(known)}",
            do=f"Rename it or add the notebook{nearest(spec.notebook, known)}.",
        )


def _check_claim(study: Study, claim: Claim, number: int) -> None:
    where = f"{study.path.name}: claims[{number}]"
    specs = {s.id: s for s in study.specifications}
    spec = specs.get(claim.specification)
    if spec is None:
        raise StudyError(
            f"{where}.specification",
            seen=f"'{claim.specification}'",
            expected=f"one of {', '.join(specs)}",
            do=f"Name a specification of this file{nearest(claim.specification, specs)}.",
        )
    if spec.role == "replication":
        raise StudyError(
            f"{where}.specification",
            seen=f"'{spec.id}', a replication",
            expected="a specification whose inference passes the guard",
            do="Claim from a headline or robustness specification.",
        )
    choice = claim.exposure or (spec.exposures[0] if len(spec.exposures) == 1 else "")
    if choice not in spec.exposures:
        raise StudyError(
            f"{where}.exposure",
            seen=f"'{claim.exposure}'",
            expected=f"one of {', '.join(spec.exposures)}",
            do="Say whose coefficient the claim is about.",
        )
    if claim.moderator and claim.moderator not in spec.moderators:
        raise StudyError(
            f"{where}.moderator",
            seen=f"'{claim.moderator}'",
            expected=f"a moderator that '{spec.id}' declares: {', '.join(spec.moderators)}",
            do="Declare it in the specification before outcomes are read, or leave it out.",
        )
