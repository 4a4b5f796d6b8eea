"""Find a study, load it, expand its cases from the packs."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evidence.errors import StudyError
from evidence.packs import Country, Sector, load_country, load_sector
from evidence.study.noun import Case, Study
from evidence.study.programme import check_lines
from evidence.study.references import check_references
from evidence.study.sections import StudyFile
from evidence.study.words import check_words
from evidence.toml import check_sections, nearest, read_toml

PARAMETERS = ("study", "output", "seed")
"""Notebook parameters of every study; the keys of ``[cases]`` come on top."""


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
    raw = read_toml(path, StudyError)
    file = check_sections(StudyFile, raw, StudyError, where=path.name)
    root = _root_of(path)
    cases, left_out, packs = _expand_cases(file.cases, root, path)
    loaded = Study(
        path=path,
        root=root,
        sha256=_digest([raw, *(asdict(pack) for pack in packs)]),
        heading=file.study,
        data=file.data,
        variables=file.variables,
        specifications=file.specifications,
        claims=file.claims,
        cases=cases,
        left_out=left_out,
        disclosure=file.disclosure,
        brief=file.brief,
        panel=file.panel,
    )
    check_lines(loaded)
    check_references(loaded)
    check_words(loaded)
    return loaded


def _root_of(path: Path) -> Path:
    if path.parent.name != "studies" or path.parent.parent.name != "notebooks":
        raise StudyError(
            path.name,
            seen=f"a study file in the folder '{path.parent.name}'",
            expected="one in notebooks/studies/ of its project",
            do="Move it there: results lie beside the project, under the study's slug.",
        )
    return path.parents[2]


def list_slugs(root: Path) -> list[str]:
    """List the slugs of a project's study files, sorted."""
    return _slugs_in(root / "notebooks" / "studies")


def _slugs_in(folder: Path) -> list[str]:
    """List study files; what lies beside one (``.advice.toml``, ``.lock.toml``) is none."""
    return sorted(path.stem for path in folder.glob("*.toml") if "." not in path.stem)


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
        known = _slugs_in(folder)
        raise StudyError(
            str(study),
            seen="no such study file",
            expected=f"one of {', '.join(known)}" if known else "a .toml file",
            do=f"Check the name{nearest(path.stem, known)}.",
        )
    return path.resolve()


def _expand_cases(
    lists: dict[str, tuple[str, ...]], root: Path, path: Path
) -> tuple[tuple[Case, ...], tuple[str, ...], list[Country | Sector]]:
    for key, values in lists.items():
        if key not in {"country", "sector"}:
            raise StudyError(
                f"{path.name}: cases.{key}",
                seen="an unknown key",
                expected="country or sector",
                do=f"Rename it{nearest(key, ['country', 'sector'])}.",
            )
        if len(set(values)) != len(values):
            raise StudyError(
                f"{path.name}: cases.{key}",
                seen="a value that stands twice",
                expected="each value once",
                do="Remove the second one.",
            )
    if not lists:
        return (Case("all", {}, ()),), (), []
    packs = {
        (key, value): _load_pack(key, value, root, path)
        for key, values in lists.items()
        for value in values
    }
    cases, left_out = [], []
    for values in itertools.product(*lists.values()):
        named = dict(zip(lists, values, strict=True))
        country = packs.get(("country", named.get("country", "")))
        sectors = country.sectors if isinstance(country, Country) else None
        if sectors is not None and named.get("sector") not in {None, *sectors}:
            left_out.append("-".join(values))
            continue
        names = tuple(packs[item].name for item in named.items())
        cases.append(Case("-".join(values), named, names))
    if not cases:
        raise StudyError(
            f"{path.name}: [cases]",
            seen="no combination that a country pack holds",
            expected="at least one",
            do="Add the sector to data/countries/<country>.toml, or choose other values.",
        )
    return tuple(cases), tuple(left_out), list(packs.values())


def _load_pack(kind: str, value: str, root: Path, path: Path) -> Country | Sector:
    where = f"{path.name}: cases.{kind}"
    if kind == "country":
        return load_country(root, value, where=where)
    return load_sector(root, value, where=where)


def _digest(parts: list[dict[str, Any]]) -> str:
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
