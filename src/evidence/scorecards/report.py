"""Write cards: one file a factory and language, inside the house, for few eyes."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from evidence.brief.fonts import embed_fonts, gather_text
from evidence.disclosure import Cleared, scan_bytes
from evidence.errors import BriefError, PanelError
from evidence.files import replace_files
from evidence.panel import cluster_column
from evidence.run import read_manifest
from evidence.scorecards.group import benchmark, tell_uptake
from evidence.scorecards.issues import read_issues
from evidence.scorecards.noun import Card, Group
from evidence.scorecards.page import compose_card
from evidence.study import LEVELS, Case, Study

FOLDER = "scorecards"
_TEMPLATES = Path(__file__).parents[1] / "templates" / "scorecards"
_COARSER = LEVELS[LEVELS.index("factory") + 1 :]
_LONGEST_SLUG = 40


def write_scorecards(cleared: Cleared, factories: Iterable[str] = ()) -> list[Path]:
    """Write the cards of factories, all of a study's unless told.

    They lie in ``reports/internal/scorecards/<slug>/``, a file a factory and language,
    readable by their owner alone; nothing under ``reports/public`` is touched. Cards of
    factories that are gone from the run are removed when all are written.

    Parameters
    ----------
    factories : iterable of str
        Names of factories as the study's sources write them.

    Returns
    -------
    list of Path
        The pages.

    Raises
    ------
    BriefError
        Where the study observes no factories, a name is unknown, or the run kept no rows.
    DisclosureError
        Where a page would name another factory; nothing is written then.
    """
    study, wanted = cleared.study, frozenset(factories)
    _check_study(cleared)
    frames = {case.id: _read_rows(cleared, case) for case in _cases(cleared)}
    _check_known(study, frames, wanted)
    pages = {
        name_card(case, card.unit, language): _render(cleared, compose_card(card, language))
        for case, frame in frames.items()
        for card in _cards(cleared, case, frame, wanted)
        for language in study.brief.languages
    }
    folder = _open_folder(study)
    replace_files(folder, pages, [] if wanted else ["*.html"], mode=0o600)
    return [folder / name for name in pages]


def list_factories(cleared: Cleared) -> list[str]:
    """List the factories of a study's run, as ``--factory`` takes them.

    Raises
    ------
    BriefError
        As ``write_scorecards``.
    """
    _check_study(cleared)
    frames = (_read_rows(cleared, case) for case in _cases(cleared))
    return sorted({unit for frame in frames for unit in frame["entity"]})


def name_card(case: str, unit: str, language: str) -> str:
    """Name a card's file: what is plain of the factory's name, and a hash of the whole.

    No name can lead out of the folder or meet another's.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", unit.lower()).strip("-")[:_LONGEST_SLUG].strip("-")
    digest = hashlib.sha256(f"{case}\n{unit}".encode()).hexdigest()[:16]
    return f"{plain or 'factory'}-{digest}.{language}.html"


def _check_study(cleared: Cleared) -> None:
    study = cleared.study
    if study.entity.level != "factory":
        raise BriefError(
            f"{study.path.name}: variables '{study.entity.name}'",
            seen=f"the level '{study.entity.level}'",
            expected="a study that observes factories",
            do="Scorecards are for enterprises; persons and countries get none.",
        )


def _cases(cleared: Cleared) -> list[Case]:
    shown = {entry["case"] for entry in cleared.neck.findings if entry["kind"] == "finding"}
    return [case for case in cleared.study.cases if case.id in shown]


def _read_rows(cleared: Cleared, case: Case) -> pd.DataFrame:
    """Read the rows that a case's run kept: ``entity, time, guard`` and the variables."""
    study = cleared.study
    path = study.internal / "cases" / case.id / study.notebooks[0] / "panel.parquet"
    try:
        frame = pd.read_parquet(path)
        guard = cluster_column(study, cleared.neck.protected["protected_unit"])
        shown = [*_outcomes(study), *_exposures(study)]
        rows = frame[["entity", "time", *shown]].assign(guard=frame[guard].astype(str))
    except (OSError, ValueError, KeyError, PanelError) as error:
        raise BriefError(
            f"{study.slug}, case '{case.id}'",
            seen=f"no rows that can be read ({type(error).__name__})",
            expected="the rows that the run kept",
            do=f"Run it again: evidence run {study.path.name}.",
        ) from error
    numbers = dict.fromkeys(shown, "float64")
    return rows.astype({"entity": str, **numbers}).sort_values(["entity", "time"])


def _outcomes(study: Study) -> list[str]:
    return [v.name for v in study.variables if v.role == "outcome"]


def _exposures(study: Study) -> list[str]:
    """List the exposures that are a factory's own and no mere placebo.

    Left out is also what is its buyer's or its country's.
    """
    meant = {name for s in study.specifications if s.role != "placebo" for name in s.exposures}
    own = [v.name for v in study.variables if v.role == "exposure" and v.level not in _COARSER]
    return [name for name in own if name in meant]


def _check_known(study: Study, frames: dict[str, pd.DataFrame], wanted: frozenset[str]) -> None:
    known = {unit for frame in frames.values() for unit in frame["entity"]}
    if wanted - known:
        raise BriefError(
            f"{study.slug}: --factory",
            seen=f"{len(wanted - known)} names that no factory of the run has",
            expected="names as the study's sources write them",
            do="Check their spelling, or leave --factory out to write all cards.",
        )


def _cards(
    cleared: Cleared, case: str, rows: pd.DataFrame, wanted: frozenset[str]
) -> Iterator[Card]:
    units = sorted(set(rows["entity"]) & wanted if wanted else set(rows["entity"]))
    if not units:
        return
    group = _measure(cleared, next(c for c in cleared.study.cases if c.id == case), rows)
    parts = dict(iter(rows.groupby("entity", sort=True)))
    for unit in units:
        yield Card(group, unit, parts[unit].sort_values("time"))


def _measure(cleared: Cleared, case: Case, rows: pd.DataFrame) -> Group:
    study = cleared.study
    outcomes = _outcomes(study)
    known = tuple(
        benchmark(rows, name, study.disclosure)
        for name in (*outcomes, *_exposures(study))
        if rows[name].notna().any()
    )
    institutions = [b.name for b in known if b.indicator and b.name not in outcomes]
    uptakes = tuple(
        tell_uptake(rows, b.name, institution, study.disclosure)
        for b in known
        if b.name in outcomes and not b.indicator
        for institution in institutions
    )
    seed = int(read_manifest(study.internal)["seed"])
    guards = {str(k): str(v) for k, v in rows.groupby("entity")["guard"].first().items()}
    return Group(cleared, case, rows, known, uptakes, read_issues(study, case, seed, guards))


def _open_folder(study: Study) -> Path:
    folder = study.root / "reports" / "internal" / FOLDER / study.slug
    for place in (folder.parent, folder):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.chmod(0o700)
    return folder


def _render(cleared: Cleared, model: dict[str, Any]) -> bytes:
    """Render a page, once without its factory's name for the scan of all others."""
    scanned = _template().render(c={**model, "unit": ""}, css="", css_hash="")
    scan_bytes(scanned.encode("utf-8"), cleared, "a scorecard")
    css, digest = _style("".join(sorted(set(gather_text(model)))), str(model["language"]))
    return _template().render(c=model, css=css, css_hash=digest).encode("utf-8")


@functools.lru_cache(maxsize=16)
def _style(characters: str, language: str) -> tuple[str, str]:
    """Give the page's style with its fonts, and the hash under which a browser takes it."""
    text = (_TEMPLATES / "scorecard.css").read_text(encoding="utf-8")
    css = f"{embed_fonts(characters, language)}\n{text}"
    return css, base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("index.html.j2")
