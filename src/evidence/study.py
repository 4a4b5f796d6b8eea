"""What is asked: a study file becomes a frozen ``Study``.

A study file is TOML under ``notebooks/studies/``; packs of countries and sectors are
TOML under ``data/``. Both are hashed, so a result can name the question it answers.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, dataclass_transform

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from evidence.errors import StudyError

LEVELS = ("worker", "line", "factory-cycle", "factory", "buyer", "sector", "country")
"""Levels of variation, finest first."""

PARAMETERS = ("study", "output", "seed")
"""Notebook parameters of every study; the keys of ``[cases]`` come on top."""

Level = Literal["worker", "line", "factory-cycle", "factory", "buyer", "sector", "country"]
Words = dict[str, str]


def _one_or_many(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Text = Annotated[str, Field(min_length=1)]
Names = Annotated[str | tuple[str, ...], AfterValidator(_one_or_many)]

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True)
def strict(kind: type[_T]) -> type[_T]:
    """Make a frozen section of a TOML file: exact types, no unknown keys."""
    config = ConfigDict(extra="forbid", strict=True)
    return cast("type[_T]", checked(frozen=True, slots=True, config=config)(kind))


@strict
class Heading:
    """Who the study is: slug (its folder), title, question."""

    slug: Slug
    title: Text
    question: Text


@strict
class Data:
    """Which sources the study reads, by the id of their records."""

    sources: Annotated[tuple[Slug, ...], Field(min_length=1)]


@strict
class Variable:
    """A column with its part in the study, level of variation and unit.

    ``label`` and ``noun`` are words for readers, a language each; ``noun`` holds
    singular and plural of the entity.
    """

    name: Slug
    role: Literal["entity", "time", "outcome", "exposure", "control", "cluster"]
    level: Level
    unit: Text
    label: Words = field(default_factory=dict)
    noun: dict[str, tuple[str, str]] = field(default_factory=dict)


@strict
class Specification:
    """One regression: who estimates what on what, and how it is inferred.

    ``clusters`` is a level of variation; empty means the level of the exposure.
    ``published`` cites the table that a replication reproduces.
    """

    id: Slug
    notebook: Text
    estimator: Literal["pooled_ols", "between", "random_effects", "fixed_effects"]
    outcome: Slug
    exposure: Names
    controls: tuple[Slug, ...] = ()
    effects: tuple[Literal["entity", "time"], ...] = ()
    clusters: Literal[
        "", "worker", "line", "factory-cycle", "factory", "buyer", "sector", "country"
    ] = ""
    role: Literal["headline", "robustness", "placebo", "replication"] = "headline"
    published: str = ""

    @property
    def exposures(self) -> tuple[str, ...]:
        """Names of the exposures, one or more."""
        return _one_or_many(self.exposure)

    @property
    def regressors(self) -> tuple[str, ...]:
        """Exposures and controls, in the order of the file."""
        return (*self.exposures, *self.controls)


@strict
class Claim:
    """What a brief may say: one exposure's coefficient of one specification."""

    id: Slug
    specification: Slug
    exposure: str = ""
    sdg: tuple[str, ...] = ()


@strict
class Disclosure:
    """The rules of the data agreement: least contributors to a table cell."""

    threshold: Annotated[int, Field(ge=3)] = 10


@strict
class Prose:
    """What the author writes in one language; numbers only as placeholders."""

    title: str = ""
    background: str = ""
    limits: tuple[str, ...] = ()


@strict
class Brief:
    """Who reads the brief, in which language."""

    languages: Annotated[tuple[Literal["en"], ...], Field(min_length=1)] = ("en",)
    audiences: tuple[Literal["government", "workers", "employers", "buyers", "public"], ...] = (
        "government",
    )
    text: dict[str, Prose] = field(default_factory=dict)


@strict
class _StudyFile:
    schema_version: Literal[1]
    study: Heading
    data: Data
    variables: Annotated[tuple[Variable, ...], Field(min_length=3)]
    specifications: Annotated[tuple[Specification, ...], Field(min_length=1)]
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    cases: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = field(default_factory=dict)
    disclosure: Disclosure = field(default_factory=Disclosure)
    brief: Brief = field(default_factory=Brief)


@strict
class Country:
    """A country pack: ISO 3166 alpha-3 code, names, sectors of the programme."""

    iso3: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    name: Annotated[Words, Field(min_length=1)]
    sectors: tuple[Slug, ...]


@strict
class Sector:
    """A sector pack: id and names."""

    id: Slug
    name: Annotated[Words, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Case:
    """One combination of the study's ``[cases]``; ``all`` where there are none."""

    id: str
    values: dict[str, str]
    label: Words


@dataclass(frozen=True, slots=True)
class Study:
    """A checked study file.

    ``left_out`` lists the combinations of ``[cases]`` that the country packs do not
    hold; ``sha256`` is of the file and the packs that it names.
    """

    path: Path
    root: Path
    sha256: str
    heading: Heading
    data: Data
    variables: tuple[Variable, ...]
    specifications: tuple[Specification, ...]
    claims: tuple[Claim, ...]
    cases: tuple[Case, ...]
    left_out: tuple[str, ...]
    disclosure: Disclosure
    brief: Brief

    @property
    def slug(self) -> str:
        """The study's name in paths and placeholders."""
        return self.heading.slug

    @property
    def internal(self) -> Path:
        """Folder of results that may hold what must not leave."""
        return self.root / "reports" / "internal" / self.slug

    @property
    def public(self) -> Path:
        """Folder of cleared results."""
        return self.root / "reports" / "public" / self.slug

    @property
    def entity(self) -> Variable:
        """The variable that names who is observed."""
        return next(v for v in self.variables if v.role == "entity")

    @property
    def time(self) -> Variable:
        """The variable that says when."""
        return next(v for v in self.variables if v.role == "time")

    @property
    def notebooks(self) -> tuple[str, ...]:
        """Names of the notebooks that the specifications ask for, sorted."""
        return tuple(sorted({s.notebook for s in self.specifications}))

    def variable(self, name: str) -> Variable:
        """Return the declared variable of this name."""
        return next(v for v in self.variables if v.name == name)

    def specification(self, name: str) -> Specification:
        """Return the specification of this id.

        Raises
        ------
        StudyError
            Where the study has none of that id.
        """
        return _named(self, self.specifications, name, "specification")

    def claim(self, name: str) -> Claim:
        """Return the claim of this id.

        Raises
        ------
        StudyError
            Where the study has none of that id.
        """
        return _named(self, self.claims, name, "claim")


_Item = TypeVar("_Item", Specification, Claim)


def _named(study: Study, items: tuple[_Item, ...], name: str, kind: str) -> _Item:
    found = {item.id: item for item in items}
    if name not in found:
        raise StudyError(
            study.path.name,
            seen=f"no {kind} '{name}'",
            expected=f"one of {', '.join(found)}",
            do=f"Add it to the study file{_nearest(name, found)}.",
        )
    return found[name]


def find_root(*starts: Path) -> Path:
    """Find the project's root: the nearest folder upward from one of these places.

    ``EVIDENCE_ROOT`` in the environment decides where it is set (kernels have it).

    Raises
    ------
    StudyError
        Where no folder upward holds ``notebooks/`` and ``data/sources/``.
    """
    chosen = os.environ.get("EVIDENCE_ROOT")
    if chosen:
        return Path(chosen)
    for folder in (folder for start in starts for folder in (start, *start.parents)):
        if (folder / "notebooks").is_dir() and (folder / "data" / "sources").is_dir():
            return folder
    raise StudyError(
        starts[-1].name or str(starts[-1]),
        seen="no folder upward with notebooks/ and data/sources/",
        expected="a folder inside a project",
        do="Change to the project's folder.",
    )


def load_study(study: str | Path) -> Study:
    """Load a study by its slug or path.

    Parameters
    ----------
    study : str or Path
        ``"plants"`` or ``notebooks/studies/plants.toml``.

    Raises
    ------
    StudyError
        Naming file, key, what was seen, what was expected and what to do.
    """
    path = _locate(study)
    raw = _read_toml(path)
    file = _check(_StudyFile, raw, path)
    root = path.parents[2] if path.parent.name == "studies" else find_root(Path.cwd())
    cases, left_out, packs = _expand_cases(file.cases, root, path)
    loaded = Study(
        path=path,
        root=root,
        sha256=_digest([raw, *packs]),
        heading=file.study,
        data=file.data,
        variables=file.variables,
        specifications=file.specifications,
        claims=file.claims,
        cases=cases,
        left_out=left_out,
        disclosure=file.disclosure,
        brief=file.brief,
    )
    _check_references(loaded)
    return loaded


def select_case(study: Study, **values: str) -> Case:
    """Select the case with these values of the study's ``[cases]``.

    Raises
    ------
    StudyError
        Where the study has no such case.
    """
    for case in study.cases:
        if case.values == values:
            return case
    raise StudyError(
        f"{study.path.name}: [cases]",
        seen=f"no case {_spell(values)}",
        expected=f"one of {', '.join(case.id for case in study.cases)}",
        do="Choose one of them, or add it to [cases] and to its country pack.",
    )


def _spell(values: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items()) or "without values"


def _locate(study: str | Path) -> Path:
    path = Path(study)
    if path.suffix != ".toml":
        path = find_root(Path.cwd()) / "notebooks" / "studies" / f"{study}.toml"
    if not path.is_file():
        folder = path.parent
        known = [p.stem for p in sorted(folder.glob("*.toml"))] if folder.is_dir() else []
        raise StudyError(
            str(study),
            seen="no such study file",
            expected=f"one of {', '.join(known)}" if known else "a .toml file",
            do=f"Check the name{_nearest(path.stem, known)}.",
        )
    return path.resolve()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(
            path.name,
            seen=f"text that is not TOML ({error})",
            expected="TOML in UTF-8",
            do="Mend the line that the message names.",
        ) from error


def _check(kind: type[Any], raw: dict[str, Any], path: Path) -> Any:
    try:
        return TypeAdapter(kind).validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        raise _study_error(error, kind, path) from error
    except TypeError as error:
        raise StudyError(
            path.name,
            seen=f"a value that is neither text, number nor list ({error})",
            expected="texts, whole numbers and lists; dates in quotes",
            do="Put the date in quotes.",
        ) from error


def _study_error(error: ValidationError, kind: type[Any], path: Path) -> StudyError:
    unknown = {"unexpected_keyword_argument", "extra_forbidden"}
    first = min(error.errors(), key=lambda found: found["type"] not in unknown)
    where = [part for part in first["loc"] if not str(part).startswith("function-")]
    while where and where[-1] in {"str", "tuple[str, ...]"}:
        where.pop()
    key = _spell_key(where)
    more = error.error_count() - 1
    rest = f" ({more} more after this one.)" if more else ""
    if first["type"] in unknown:
        known = _keys_at(kind, where[:-1])
        return StudyError(
            f"{path.name}: {key}",
            seen="an unknown key",
            expected=f"one of {', '.join(known)}",
            do=f"Remove or rename it{_nearest(str(where[-1]), known)}.{rest}",
        )
    if first["type"] in {"missing", "missing_argument"}:
        return StudyError(
            f"{path.name}: {key}",
            seen="nothing",
            expected="this key",
            do=f"Add it; docs/studies.md shows a whole study file.{rest}",
        )
    return StudyError(
        f"{path.name}: {key}",
        seen=f"{first['input']!r}",
        expected=_expectation(first),
        do=f"Change the value.{rest}",
    )


def _expectation(error: Any) -> str:
    context = error.get("ctx", {})
    if "expected" in context:
        return f"{context['expected']}"
    if "pattern" in context:
        return f"text of the form {context['pattern']}"
    message: str = error["msg"]
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _spell_key(where: list[Any]) -> str:
    spelt = ""
    for part in where:
        spelt += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if spelt else str(part)
    return spelt or "file"


_SECTIONS: dict[str, type[Any]] = {
    "study": Heading,
    "data": Data,
    "variables": Variable,
    "specifications": Specification,
    "claims": Claim,
    "disclosure": Disclosure,
    "brief": Brief,
}


def _keys_at(kind: type[Any], where: list[Any]) -> list[str]:
    if where:
        kind = _SECTIONS.get(str(where[0]), kind)
    if len(where) > 1 and where[1] == "text":
        kind = Prose
    return sorted(kind.__dataclass_fields__)


def _nearest(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _expand_cases(
    lists: dict[str, tuple[str, ...]], root: Path, path: Path
) -> tuple[tuple[Case, ...], tuple[str, ...], list[dict[str, Any]]]:
    for key, values in lists.items():
        if key not in {"country", "sector"}:
            raise StudyError(
                f"{path.name}: cases.{key}",
                seen="an unknown key",
                expected="country or sector",
                do=f"Rename it{_nearest(key, ['country', 'sector'])}.",
            )
        if len(set(values)) != len(values):
            raise StudyError(
                f"{path.name}: cases.{key}",
                seen="a value that stands twice",
                expected="each value once",
                do="Remove the second one.",
            )
    if not lists:
        return (Case("all", {}, {}),), (), []
    packs = {
        (key, value): _load_pack(key, value, root, path)
        for key, values in lists.items()
        for value in values
    }
    cases, left_out = [], []
    for values in itertools.product(*lists.values()):
        named = dict(zip(lists, values, strict=True))
        country = packs.get(("country", named.get("country", "")))
        if country is not None and named.get("sector") not in {None, *country["sectors"]}:
            left_out.append("-".join(values))
            continue
        names = [packs[item]["name"] for item in named.items()]
        shared = set.intersection(*(set(name) for name in names))
        label = {code: ", ".join(name[code] for name in names) for code in sorted(shared)}
        cases.append(Case("-".join(values), named, label))
    if not cases:
        raise StudyError(
            f"{path.name}: [cases]",
            seen="no combination that a country pack holds",
            expected="at least one",
            do="Add the sector to data/countries/<country>.toml, or choose other values.",
        )
    return tuple(cases), tuple(left_out), list(packs.values())


def _load_pack(kind: str, value: str, root: Path, path: Path) -> dict[str, Any]:
    folder = root / "data" / {"country": "countries", "sector": "sectors"}[kind]
    file = folder / f"{value}.toml"
    if Path(value).name != value or not file.is_file():
        known = [p.stem for p in sorted(folder.glob("*.toml"))]
        raise StudyError(
            f"{path.name}: cases.{kind}",
            seen=f"'{value}'",
            expected=f"one of {', '.join(known)}",
            do=f"Choose one, or add data/{folder.name}/{value}.toml{_nearest(value, known)}.",
        )
    raw = _read_toml(file)
    pack = _check(Country if kind == "country" else Sector, raw, file)
    own = pack.iso3 if kind == "country" else pack.id
    if own != value:
        raise StudyError(
            file.name,
            seen=f"'{own}'",
            expected=f"'{value}', the file's own name",
            do="Rename the file or the code in it.",
        )
    return raw


def _check_references(study: Study) -> None:
    _check_unique(study)
    _check_roles(study)
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
        used = {"outcome": (spec.outcome,), "exposure": spec.exposures, "controls": spec.controls}
        for key, values in used.items():
            for name in values:
                if name not in names:
                    raise StudyError(
                        f"{study.path.name}: specifications[{number}].{key}",
                        seen=f"'{name}'",
                        expected=f"a declared variable: {', '.join(names)}",
                        do=f"Declare it in [[variables]] or rename it{_nearest(name, names)}.",
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
}


def _check_specification(study: Study, spec: Specification, number: int) -> None:
    where = f"{study.path.name}: specifications[{number}]"
    used = [spec.outcome, *spec.regressors]
    twice = sorted({name for name in used if used.count(name) > 1})
    if twice or not spec.exposures:
        raise StudyError(
            f"{where}.exposure",
            seen=f"'{twice[0]}' more than once" if twice else "none",
            expected="at least one exposure, and each variable in one part only",
            do="Name it once, as outcome, exposure or control.",
        )
    parts = {"outcome": (spec.outcome,), "exposure": spec.exposures, "controls": spec.controls}
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
    allowed = _EFFECTS[spec.estimator]
    odd = [name for name in spec.effects if name not in allowed or spec.effects.count(name) > 1]
    if odd or (spec.estimator == "fixed_effects" and not spec.effects):
        raise StudyError(
            f"{where}.effects",
            seen=f"{', '.join(spec.effects) or 'none'} with {spec.estimator}",
            expected=f"{' and '.join(sorted(allowed)) or 'none'}, each at most once",
            do="Change 'effects' or 'estimator'.",
        )


def _check_notebook(study: Study, spec: Specification, number: int) -> None:
    folder = study.root / "notebooks"
    known = [p.stem for p in sorted(folder.glob("*.ipynb"))]
    if spec.notebook not in known:
        raise StudyError(
            f"{study.path.name}: specifications[{number}].notebook",
            seen=f"'{spec.notebook}'",
            expected=f"a notebook of notebooks/, without .ipynb: {', '.join(known)}",
            do=f"Rename it or add the notebook{_nearest(spec.notebook, known)}.",
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
            do=f"Name a specification of this file{_nearest(claim.specification, specs)}.",
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


def _digest(parts: list[dict[str, Any]]) -> str:
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
