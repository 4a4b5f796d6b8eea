"""Prove that a study's published files follow from its notebooks: run again, compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from evidence.brief import can_write_word, render_latest
from evidence.disclosure import REPLIES, clear, hash_file, read_register, write_replies
from evidence.errors import BriefError, RunError
from evidence.files import replace_file
from evidence.run import (
    Comparison,
    compare_bytes,
    find_records,
    is_good,
    is_same_place,
    plan_runs,
    read_manifest,
    replay,
)
from evidence.run.verify import Replay
from evidence.study import Study

TOLERANCE = 1e-9
"""Largest relative difference of a number where the lock or the processor is another."""

_EDITIONS = "editions"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a verification found.

    ``same_place`` says that lock and processor are those of the record, so that the same
    bytes were asked for; ``changed`` names inputs that are not those of the record.
    """

    study: Study
    same_place: bool
    tolerance: float
    changed: tuple[str, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def good(self) -> bool:
        """Whether everything was reproduced."""
        return is_good(self.comparisons)


def verify_study(
    study: Study,
    *,
    tolerance: float = TOLERANCE,
    jobs: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> Proof:
    """Run a study's notebooks again and recompute its public files; compare both.

    Results and public files stay as they are; the report is ``verify.json`` in the
    study's internal folder.

    Parameters
    ----------
    tolerance : float
        Largest relative difference of a number where lock or processor are others; on the
        same ones every byte must be the same.
    jobs : int
        Notebooks, then languages, at the same time.
    tell : callable
        Called with what is done.

    Raises
    ------
    RunError
        Where the study was never run or never published as a draft, or a notebook does not
        come to its end; the cell is named.
    DisclosureError, LanguageError, BriefError
        Where what was recomputed may not be published.
    """
    records = find_records(study)
    _check_public(study)
    manifest = read_manifest(records)
    same = is_same_place(study, records)
    allowed = None if same else tolerance
    with replay(study, records, allowed, workers=jobs, tell=tell) as again:
        tell("public files")
        public = tuple(_compare_public(study, again, allowed, jobs))
        comparisons = (*again.comparisons, *public)
    jobs_now = plan_runs(study, seed=manifest["seed"])
    before = {(run["case"], run["notebook"]): run["parts"] for run in manifest["runs"]}
    changed = {
        part
        for job in jobs_now
        for part, digest in job.parts.items()
        if before.get((job.case.id, job.notebook), {}).get(part) != digest
    }
    proof = Proof(study, same, tolerance, tuple(sorted(changed)), comparisons)
    replace_file(study.internal / "verify.json", _as_json(proof), mode=0o600)
    return proof


def list_lines(proof: Proof) -> list[str]:
    """Tell a proof in lines, what differs first."""
    told = [_tell(c) for c in proof.comparisons if c.verdict != "reproduced"]
    cells = sum(bool(c.cell) for c in proof.comparisons)
    files = len(proof.comparisons) - cells
    counted = f"{cells} cells and {files} files compared"
    if proof.changed:
        told.append(f"inputs that are not those of the record: {', '.join(proof.changed)}")
    if not proof.good:
        count = sum(c.verdict == "different" for c in proof.comparisons)
        return [*told, f"NOT reproduced: {count} differ; {counted}"]
    how = (
        "same lock and processor, the same bytes"
        if proof.same_place
        else f"another lock or processor, numbers within {proof.tolerance:g}"
    )
    return [*told, f"reproduced: {how}; {counted}"]


def _tell(comparison: Comparison) -> str:
    place = comparison.file
    if comparison.cell:
        place += f", cell '{comparison.cell}'"
    if comparison.section:
        place += f" ({comparison.section})"
    apart = comparison.relative
    measured = "" if apart is None else f", relative difference {apart:.2g}"
    return f"{comparison.verdict}: {place}: was {comparison.was}, came {comparison.came}{measured}"


def _check_public(study: Study) -> None:
    files = [path.name for path in study.public.glob("*")]
    if not any(name.startswith("brief.") for name in files):
        raise RunError(
            study.slug,
            seen="no public files to compare with",
            expected="the study's briefs",
            do=f"Write them first: evidence brief {study.path.name}.",
        )
    if any(name.endswith(".docx") for name in files) and not can_write_word():
        raise BriefError(
            study.slug,
            seen="Word documents among the public files, and no pandoc or python-docx here",
            expected="the extra 'docx', with which they were written",
            do="Install it: pip install 'evidence[docx]'.",
        )


def _compare_public(
    study: Study, again: Replay, tolerance: float | None, jobs: int
) -> Iterator[Comparison]:
    """Compare every file of the study's public folder with what comes from the new run."""
    cleared = clear(again.neck, again.study)
    came = render_latest(cleared, jobs=jobs)
    replies = write_replies(cleared)
    if replies is not None:
        came[REPLIES] = replies.read_bytes()
    there = {path.name: path.read_bytes() for path in study.public.glob("*") if path.is_file()}
    for name in sorted({*came, *there}):
        place = Comparison(_place(study, study.public / name))
        yield compare_bytes(place, there.get(name), came.get(name), tolerance)
    yield from _compare_editions(study)


def _compare_editions(study: Study) -> Iterator[Comparison]:
    """Compare the files of standing editions with the register of releases."""
    for edition in read_register(study.root, study.slug).editions:
        folder = study.public / _EDITIONS / str(edition.number)
        if edition.withdrawn or not folder.is_dir():
            continue
        for name, digest in sorted(edition.files.items()):
            path = folder / name
            found = hash_file(path.read_bytes()) if path.is_file() else "no such file"
            place = Comparison(_place(study, path))
            yield compare_bytes(place, found.encode(), digest.encode(), None)


def _place(study: Study, path: Path) -> str:
    return path.relative_to(study.root).as_posix()


def _as_json(proof: Proof) -> bytes:
    document = {
        "schema_version": 1,
        "study": proof.study.slug,
        "verdict": "reproduced" if proof.good else "different",
        "same_lock_and_processor": proof.same_place,
        "tolerance": 0 if proof.same_place else proof.tolerance,
        "changed_inputs": list(proof.changed),
        "compared": len(proof.comparisons),
        "comparisons": [asdict(c) for c in proof.comparisons if c.verdict != "reproduced"],
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
