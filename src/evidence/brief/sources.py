"""Where the numbers of a brief come from: data, definitions, fingerprints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import version

from evidence.brief.names import name_part, name_points
from evidence.disclosure import Cleared
from evidence.exhibits import scale_of, words_of
from evidence.language import format_number, format_plain, join, say, word_definition
from evidence.study import Study, read_lock

_MOST_HASHES = 3
_MOST_CITATIONS = 2
"""More of them are cited in full in the section on sources alone."""


def tell_source(cleared: Cleared, language: str) -> list[str]:
    """Tell data, definitions, what is left out, fingerprints and how to reproduce."""
    neck, study = cleared.neck, cleared.study
    everything = [e["id"] for e in neck.findings if e["kind"] == "finding"]
    hashes = {
        f"{name} {digest[:12]}" for e in neck.findings for name, digest in e.get("data", {}).items()
    }
    lines = [
        word_source(cleared, language, everything, whole=True),
        *_definitions(cleared, language),
    ]
    left_out = neck.protected["items_left_out"]
    if left_out:
        points = join(language, name_points(study, language, left_out), "semicolon")
        lines.append(say(language, "brief.left_out", items=points))
    digest = hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()[:12]
    shown = ", ".join(sorted(hashes)) if len(hashes) <= _MOST_HASHES else digest
    lines.append(
        say(language, "brief.fingerprint", hashes=shown, study=f"{study.path.name} "
            f"{study.sha256[:12]}")
    )  # fmt: skip
    lock = read_lock(study)
    if lock is not None:
        lines.append(say(language, "brief.lock", lock=f"{lock.study} {lock.sha256[:12]}"))
    lines.append(say(language, "brief.reproduce", slug=study.slug, version=version("evidence")))
    return lines


def word_source(cleared: Cleared, language: str, ids: list[str], *, whole: bool = False) -> str:
    """Word the source of some findings: citations (many only as a ``whole``), counts, periods."""
    citations = cleared.neck.protected["citations"].values()
    if whole or len(citations) <= _MOST_CITATIONS:
        citation = join(language, citations, "semicolon")
    else:
        citation = say(language, "brief.source_below", title=say(language, "brief.source"))
    counts = count_source(cleared, language, ids)
    outcomes = [e["outcome"] for e in cleared.neck.findings if e["id"] in ids]
    line = say(language, "brief.source_line", citation=citation, **counts)
    return join(language, [*tell_scales(cleared.study, language, outcomes), line], "sentence")


def tell_scales(study: Study, language: str, outcomes: Iterable[str]) -> list[str]:
    """Tell once of each score which end of it is the better one."""
    return list(dict.fromkeys(scale_of(study, language, name) for name in outcomes))


def count_source(cleared: Cleared, language: str, ids: list[str]) -> dict[str, str]:
    """Count observations, units and periods of some findings, of a place the largest.

    Returns
    -------
    dict
        ``nobs, n_entities, nouns, first_period, last_period``.
    """
    findings = [e for e in cleared.neck.findings if e["id"] in ids]
    largest = {(e["case"]): e for e in sorted(findings, key=lambda e: e["nobs"])}
    words = words_of(cleared.study, language, findings[0])
    counts = {
        name: format_number(language, sum(e[name] for e in largest.values()), decimals=0)
        for name in ("nobs", "n_entities")
    }
    return {
        **counts,
        "nouns": words["nouns"],
        "first_period": format_plain(language, min(e["first_period"] for e in findings)),
        "last_period": format_plain(language, max(e["last_period"] for e in findings)),
    }


def _definitions(cleared: Cleared, language: str) -> list[str]:
    """Say once of each compliance outcome how it is counted."""
    told = [e for e in cleared.neck.findings if e["kind"] == "finding" and e["definition"]]
    study = cleared.study
    words = [
        {
            **words_of(study, language, entry),
            "part": name_part(study, language, entry["definition"]),
        }
        for entry in told
    ]
    lines = [
        word_definition(language, e["definition"], w) for e, w in zip(told, words, strict=True)
    ]
    return list(dict.fromkeys(lines))
