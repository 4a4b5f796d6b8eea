"""Write a study's briefs under ``reports/public/``: cleared, scanned, renamed.

A version is a language and an audience. The files of the study's first audience are
``brief.<language>.*``, those of the others ``brief.<audience>.<language>.*``; beside each
page lies its card, ``*.json``. Beside the first audience's files lie the version for technical
readers, ``technical.<language>.pdf``, and the slides, ``slides.<language>.pdf``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from evidence.brief.annex import write_csv, write_latex, write_sheet
from evidence.brief.card import list_claims, write_card
from evidence.brief.checks import check_text
from evidence.brief.exporter import BriefExporter, word_model, write_document
from evidence.brief.imprint import Imprint
from evidence.brief.model import compose
from evidence.brief.pdf import typeset, typeset_slides
from evidence.brief.versions import link_versions, name_version
from evidence.brief.word import can_write_word
from evidence.disclosure import (
    Cleared,
    Edition,
    hash_file,
    read_register,
    read_signoff,
    scan_bytes,
    scan_folder,
)
from evidence.errors import BriefError
from evidence.files import replace_files
from evidence.study import Study

__all__ = [
    "check_formats",
    "check_text",
    "hash_signed",
    "name_version",
    "render_all",
    "render_latest",
    "render_notices",
    "render_page",
    "write_brief",
    "write_briefs",
]

_Made = TypeVar("_Made")
_WRITTEN = [
    f"{kind}.*{ending}"
    for kind in ("brief", "technical", "slides", "tables")
    for ending in ("html", "json", "pdf", "docx", "csv", "xlsx", "tex")
]


def write_brief(cleared: Cleared, language: str, audience: str = "") -> Path:
    """Write one version: the page, its other formats, its card.

    The page is a draft and says so, unless it is to the byte what was published as the
    latest edition. Where that edition is withdrawn, its notice stays.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DisclosureError, LanguageError, BriefError
        Nothing is written then; an earlier brief stays as it was.
    """
    study = cleared.study
    version = (language, audience or study.brief.audiences[0])
    replace_files(study.public, _render_latest(cleared, [version], 1))
    return study.public / f"{name_version(study, language, audience)}.html"


def write_briefs(cleared: Cleared, *, jobs: int = 1) -> list[Path]:
    """Write every version of a study's brief, and remove those that it no longer has.

    What else lies in the study's public folder is scanned, too.

    Parameters
    ----------
    jobs : int
        Languages at the same time, each in a process of its own.

    Returns
    -------
    list of Path
        The pages.

    Raises
    ------
    DisclosureError, LanguageError, BriefError
        Nothing is written then, unless it is about another file of the folder; earlier briefs
        stay as they were.
    """
    study = cleared.study
    versions = _versions(study)
    files = render_latest(cleared, jobs=jobs)
    replace_files(study.public, files, _WRITTEN)
    scan_folder(study.public, cleared, {name: hash_file(data) for name, data in files.items()})
    return [study.public / f"{name_version(study, *version)}.html" for version in versions]


def render_all(cleared: Cleared, imprint: Imprint, *, jobs: int = 1) -> dict[str, bytes]:
    """Render every version in every format, all scanned: file name → bytes.

    Raises
    ------
    DisclosureError, LanguageError, BriefError
    """
    return _render(cleared, _versions(cleared.study), imprint, jobs)


def render_latest(cleared: Cleared, *, jobs: int = 1) -> dict[str, bytes]:
    """Render what ``write_briefs`` writes, and write nothing: file name → bytes.

    Raises
    ------
    DisclosureError, LanguageError, BriefError
    """
    return _render_latest(cleared, _versions(cleared.study), jobs)


def render_page(
    cleared: Cleared, language: str, audience: str, imprint: Imprint
) -> dict[str, bytes]:
    """Render a version in every format and its card, all scanned: file name → bytes.

    Raises
    ------
    DisclosureError, LanguageError, BriefError
    """
    links = link_versions(cleared.study, language, audience, _list_further(cleared.study))
    page, made = BriefExporter().from_cleared(
        cleared, language, audience, imprint=imprint, links=links
    )
    stem = name_version(cleared.study, language, audience)
    model = made["brief"]
    files = {f"{stem}.html": page.encode("utf-8"), f"{stem}.pdf": typeset(model)}
    if can_write_word():
        files[f"{stem}.docx"] = write_document(cleared, model)
    if stem == f"brief.{language}":
        files |= _render_once(cleared, language, imprint)
    claims = list_claims(cleared, language)
    files |= write_card(stem, model, files, cleared.study.heading.lines, claims)
    for name, payload in files.items():
        if name != f"{stem}.html":
            scan_bytes(payload, cleared, name)
    return files


def _render_once(cleared: Cleared, language: str, imprint: Imprint) -> dict[str, bytes]:
    """Render what a language has once, whoever reads: slides, technical version, annex."""
    beside = cleared.study.brief.beside
    technical = word_model(cleared, language, "technical", imprint) if beside else {}
    files = {}
    if "slides" in beside:
        model = word_model(cleared, language, "", imprint)
        files[f"slides.{language}.pdf"] = typeset_slides(model)
    if "technical" in beside:
        files[f"technical.{language}.pdf"] = typeset(technical)
    if "tables" in beside:
        files[f"tables.{language}.xlsx"] = write_sheet(cleared, language, technical)
    return files


def _render_tables(cleared: Cleared, imprint: Imprint) -> dict[str, bytes]:
    """Render what a study has once, whatever the language: its estimates for machines, scanned."""
    files = {"tables.csv": write_csv(cleared, imprint), "tables.tex": write_latex(cleared, imprint)}
    for name, payload in files.items():
        scan_bytes(payload, cleared, name)
    return files


def render_notices(study: Study, edition: Edition) -> dict[str, bytes]:
    """Render the notices of a withdrawn edition and their cards: file name → bytes."""
    files: dict[str, bytes] = {}
    for language, audience in _versions(study):
        page, made = BriefExporter().from_withdrawal(study, edition, language)
        model = {**made["brief"], "audience": audience}
        stem = name_version(study, language, audience)
        notice = {f"{stem}.html": page.encode("utf-8")}
        files |= notice | write_card(stem, model, notice, study.heading.lines)
    return files


def open_pool(jobs: int) -> ProcessPoolExecutor:
    """Open a pool of processes that have all that renders ready, once for all of them.

    They are forked from a server that has set no page: typst keeps threads, which a process
    forked from this one would not get, and would wait for.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", "evidence.brief.ready"])
    return ProcessPoolExecutor(jobs, context)


def check_formats(study: Study, edition: Edition) -> None:
    """Check that every format of an edition can be written here.

    Raises
    ------
    BriefError
        Where it has Word documents, and what writes them is not installed: its pages would
        be taken for others.
    """
    if any(name.endswith(".docx") for name in edition.files) and not can_write_word():
        raise BriefError(
            study.slug,
            seen=f"Word documents in edition {edition.number}, and no pandoc or python-docx here",
            expected="the extra 'docx', with which that edition was published",
            do="Install it: pip install 'evidence[docx]'. The published files stay as they are.",
        )


def hash_signed(cleared: Cleared, *, jobs: int = 1) -> str:
    """Hash what a person signs: what was cleared and every word and picture of its pages.

    The replies of parties are theirs and not part of it.

    Parameters
    ----------
    jobs : int
        Languages at the same time, each in a process of its own.
    """
    digest = hashlib.sha256(cleared.sha256.encode())
    languages = cleared.study.brief.languages
    parts = _map_languages(_compose_all, [cleared], languages, jobs)
    for texts in (*(read for read, _ in parts), *([technical] for _, technical in parts)):
        for text in texts:
            digest.update(text)
    return digest.hexdigest()


def _compose_all(cleared: Cleared, language: str) -> tuple[list[bytes], bytes]:
    """Compose a language's versions for readers, and its technical one, as JSON."""
    audiences = (*cleared.study.brief.audiences, "technical")
    models = [compose(cleared, language, audience) for audience in audiences]
    texts = [json.dumps(model, sort_keys=True, ensure_ascii=False).encode() for model in models]
    return texts[:-1], texts[-1]


def _list_further(study: Study) -> list[str]:
    """List the files that the build writes beside pages and cards, to link only those."""
    stems = [name_version(study, *version) for version in _versions(study)]
    documents = [f"{stem}.docx" for stem in stems] if can_write_word() else []
    languages, beside = study.brief.languages, study.brief.beside
    kinds = [kind for kind in ("technical", "slides") if kind in beside]
    stems += [f"{kind}.{language}" for kind in kinds for language in languages]
    sheets = [f"tables.{language}.xlsx" for language in languages if "tables" in beside]
    return [*(f"{stem}.pdf" for stem in stems), *documents, *sheets, "tables.csv", "tables.tex"]


def _versions(study: Study) -> list[tuple[str, str]]:
    """List languages with audiences, a language's together."""
    return [(language, a) for language in study.brief.languages for a in study.brief.audiences]


def _render(
    cleared: Cleared, versions: list[tuple[str, str]], imprint: Imprint, jobs: int
) -> dict[str, bytes]:
    """Render versions, a language in one process: its audiences share pictures and fonts."""
    languages = list(dict.fromkeys(language for language, _ in versions))
    parts = _map_languages(_render_language, [cleared, versions, imprint], languages, jobs)
    return _join([*parts, _render_tables(cleared, imprint)])


def _map_languages(
    verb: Callable[..., _Made], shared: list[Any], languages: Sequence[str], jobs: int
) -> list[_Made]:
    """Do something for each language, each in a process of its own where several may run."""
    tasks = [*([one] * len(languages) for one in shared), languages]
    if min(jobs, len(languages)) == 1:
        return list(map(verb, *tasks))
    with open_pool(min(jobs, len(languages))) as pool:
        return list(pool.map(verb, *tasks))


def _render_language(
    cleared: Cleared, versions: list[tuple[str, str]], imprint: Imprint, language: str
) -> dict[str, bytes]:
    audiences = [audience for spoken, audience in versions if spoken == language]
    return _join(render_page(cleared, language, audience, imprint) for audience in audiences)


def _join(parts: Iterable[dict[str, bytes]]) -> dict[str, bytes]:
    return {name: payload for part in parts for name, payload in part.items()}


def _render_latest(
    cleared: Cleared, versions: list[tuple[str, str]], jobs: int
) -> dict[str, bytes]:
    """Render the latest edition's files or notices; drafts where they would be other ones."""
    study = cleared.study
    replies = read_signoff(study).reply
    latest = read_register(study.root, study.slug).latest
    if latest is not None and cleared.sha256 == latest.cleared:
        if latest.withdrawn and hash_signed(cleared) == latest.signed:
            return render_notices(study, latest)
        if not latest.withdrawn:
            check_formats(study, latest)
            files = _render(cleared, versions, Imprint(latest, replies), jobs)
            if all(latest.files.get(name) == hash_file(data) for name, data in files.items()):
                return files
    return _render(cleared, versions, Imprint(None, replies), jobs)
