"""Fix a study's plan before its outcomes are read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from evidence.errors import SourceError, StudyError
from evidence.files import replace_file
from evidence.language import check_prose, list_flaws, refuse
from evidence.packs import hash_packs
from evidence.sources import fingerprint
from evidence.study import Study, amend_lock, lock_path, make_lock, read_lock, write_lock

_SEED = 1
PACKS = "packs"
"""Where a lock holds the hash of countries, sectors, laws and questionnaires."""

NOT_THERE = "not there"
"""What a lock holds for a source whose record or file is missing."""


def lock_study(study: Study, *, amend: str = "", today: date | None = None) -> Path:
    """Lock a study's plan, or amend its lock; no row of data is read.

    Sources are hashed as bytes, simulated ones by their record; results are looked for
    by the names of their files only.

    Parameters
    ----------
    amend : str
        The reason of an amendment; empty for a first lock.
    today : date, optional
        The day that the lock carries; today's where it is not given.

    Returns
    -------
    Path
        The lock, ``notebooks/studies/<slug>.lock.toml``.

    Raises
    ------
    StudyError
        Where a lock exists and nothing is amended, or the other way round, or the lock
        was edited by hand.
    LanguageError
        Where the reason types a number or claims a cause: the brief repeats it.
    """
    path, lock = lock_path(study), read_lock(study)
    day = today or datetime.now(UTC).date()
    after = _has_results(study)
    if lock is not None and amend:
        _check_reason(study, amend)
        made = amend_lock(lock, study, day=day, reason=amend, after_outcomes=after)
    elif lock is None and not amend:
        sources = {source: fingerprint_source(study, source) for source in study.data.sources}
        sources[PACKS] = hash_packs(study.root)
        made = make_lock(study, day=day, sources=sources, after_outcomes=after)
    else:
        raise StudyError(
            path.name,
            seen=f"a lock of {lock.date}" if lock else "no lock to amend",
            expected="no lock yet" if lock else "a lock",
            do=f"Keep it, or change the plan openly: evidence lock {study.path.name} "
            "--amend '<reason>'."
            if lock
            else f"Lock the study first: evidence lock {study.path.name}.",
        )
    replace_file(path, write_lock(made))
    return path


def _check_reason(study: Study, reason: str) -> None:
    place = f"{lock_path(study).name}: amendment"
    language = study.brief.languages[0]
    check_prose(language, reason, place, placeholders=False)
    refuse(list_flaws(language, reason, place, "association"))


def fingerprint_source(study: Study, source: str) -> str:
    """Hash a source as a lock does, its record included; ``NOT_THERE`` where it is missing."""
    try:
        return fingerprint(study.root, source, seed=_SEED)
    except SourceError:
        return NOT_THERE


def _has_results(study: Study) -> bool:
    """Tell whether files of results exist: of a run, of a notebook opened by hand, published."""
    internal = any(study.internal.rglob("estimates.csv")) or any(
        study.internal.rglob("panel.parquet")
    )
    public = study.public.is_dir() and any(study.public.iterdir())
    released = any((study.root / "data" / "releases").glob(f"{study.slug}*"))
    return internal or public or released
