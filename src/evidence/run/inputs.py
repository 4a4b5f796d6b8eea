"""What a notebook run reads, piece by piece, so that a plan can name what has changed.

A kernel sees the rooms at and below the neck, the keys of the study file that are not for the
brief alone, the packs of its case, the rows of its case. What is hashed here may be more than
that, never less: too much costs a run, too little would call an old result new.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from evidence.packs import list_packs, list_registry
from evidence.sources import load_record
from evidence.study import LANGUAGES, Case, Study

Pieces = dict[str, Any]
"""Name of a piece → its hash, or what it is in plain words (a version, a value)."""

_PACKAGE = Path(__file__).parents[1]
_OUTSIDE = ("brief", "changes", "cli", "disclosure", "portal", "run", "scorecards", "templates")
"""Rooms that no kernel loads; what is not named here is hashed."""

_IN_KERNELS = ("run/__init__.py", "run/kernels/")
"""Of these rooms, what a kernel's own process may load nevertheless."""

_DEFAULT = "en"
"""Language of a notebook's exhibits where its code names no other."""


def list_code(languages: Iterable[str]) -> Pieces:
    """Hash the files of the package that a kernel may read, words in these languages only."""
    other = {str(code) for code in LANGUAGES} - set(languages)
    return {
        name: sha256(path.read_bytes())
        for name, path in _list_package()
        if not _is_outside(name) and not _is_worded_in(name, other)
    }


def list_package() -> Pieces:
    """Hash all files of the package."""
    return {name: sha256(path.read_bytes()) for name, path in _list_package()}


def _list_package() -> list[tuple[str, Path]]:
    return sorted(
        (path.relative_to(_PACKAGE).as_posix(), path)
        for path in _PACKAGE.rglob("*")
        if path.suffix in {".py", ".po", ".json", ".toml"} and "__pycache__" not in path.parts
    )


_OF_EVENTS = re.compile(r"(?<![a-z])(?:since|dose)_|\blist_(?:events|frames)\b")


def _is_outside(name: str) -> bool:
    room = name.partition("/")[0].removesuffix(".py")
    return room in _OUTSIDE and not name.startswith(_IN_KERNELS)


def _is_worded_in(name: str, languages: set[str]) -> bool:
    folder, _, file = name.partition("/")
    return folder == "locales" and file.partition(".")[0] in languages


def list_languages(notebook: str) -> tuple[str, ...]:
    """List the languages that a notebook's text names, the default first.

    All of them, where its code reads the study's section on its brief.
    """
    if re.search(r"\.brief\b", notebook):
        return LANGUAGES
    named = [code for code in LANGUAGES if re.search(rf"[\"']{code}\\?[\"']", notebook)]
    return tuple(dict.fromkeys([_DEFAULT, *named]))


def list_environment() -> Pieces:
    """List Python and the installed distributions with their versions, by their folders."""
    folders = [folder for entry in sys.path if (folder := Path(entry)).is_dir()]
    names = {path.stem for folder in folders for path in folder.glob("*.dist-info")}
    versions = dict(name.lower().rpartition("-")[::2] for name in sorted(names))
    return {"python": platform.python_version(), **versions}


def list_study(study: Study, languages: tuple[str, ...]) -> Pieces:
    """Hash the sections of a study file that a kernel reads, words in these languages only.

    Left out are requests for exceptions from the gate's rules, and ``[brief]`` unless all
    languages are read. The lock and the recommendations are no part of a study; its cases are
    told one by one (``list_case``).
    """
    sections: dict[str, Any] = {
        "study": asdict(study.heading),
        "data": asdict(study.data),
        "variables": [
            asdict(v) | {"label": _keep(v.label, languages), "noun": _keep(v.noun, languages)}
            for v in study.variables
        ],
        "specifications": [asdict(spec) for spec in study.specifications],
        "claims": [asdict(claim) for claim in study.claims],
        "panel": asdict(study.panel),
        "disclosure": asdict(replace(study.disclosure, exceptions=())),
    }
    if set(languages) == set(LANGUAGES):
        sections["brief"] = asdict(study.brief)
    return {name: hash_json(section) for name, section in sections.items()}


def list_case(case: Case, languages: tuple[str, ...]) -> Pieces:
    """Hash what a kernel reads of its own case, names in these languages only."""
    names = [_keep(name, languages) for name in case.names]
    return {"cases": hash_json([case.id, case.values, names])}


def _keep(words: Mapping[str, Any], languages: Iterable[str]) -> dict[str, Any]:
    return {language: words[language] for language in languages if language in words}


def list_packs_of(study: Study, case: Case) -> Pieces:
    """Hash the packs of a case: its country and sector, the questionnaires of its sources."""
    records = [load_record(study.root, source) for source in study.data.sources]
    questionnaires = tuple(r.questionnaire for r in records if r.questionnaire)
    return list_packs(study.root, case.values, questionnaires)


def list_events_of(study: Study, notebook: str) -> Pieces:
    """Hash the registry of policy events for who reads it: by a variable's name, or in its code."""
    names = " ".join(variable.name for variable in study.variables)
    return list_registry(study.root) if _OF_EVENTS.search(f"{names} {notebook}") else {}


def hash_json(document: Any) -> str:
    """Hash what JSON can hold."""
    return sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode())


def sha256(payload: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(payload).hexdigest()
