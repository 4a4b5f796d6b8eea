"""The register of releases: what was published, of which protected units, in which edition.

``data/releases/<slug>.jsonl`` is under version control and only ever gets longer. It
holds no name: units of restricted data stand in it as keyed hashes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evidence.disclosure.key import hash_unit
from evidence.errors import DisclosureError
from evidence.neck import Neck, check_schema
from evidence.study import Specification, Study

FOLDER = Path("data") / "releases"


@dataclass(frozen=True, slots=True)
class Output:
    """A finding or a table cell with the protected units that it rests on.

    ``group`` names the outputs that stand beside each other: a claim over cases, a
    table over its cells. ``units`` are names before the release, keyed hashes after;
    ``rows`` the same of each unit's rows, empty for tables. ``edition`` is 0 for what is not
    released.
    """

    id: str
    study: str
    edition: int
    group: str
    outcome: str
    statistic: str
    protected_unit: str
    n_units: int
    units: frozenset[str]
    rows: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Edition:
    """A numbered release.

    ``cleared`` is the hash of what the gate cleared, ``signed`` of what a person signed,
    ``files`` maps file → SHA-256, ``key`` is the key's check value, empty where the data
    are not restricted. ``withdrawn`` is the date of a withdrawal, or empty.
    """

    number: int
    date: str
    cleared: str
    signed: str
    checked: tuple[dict[str, str], ...]
    key: str
    files: dict[str, str]
    withdrawn: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Register:
    """A study's register: its editions in order, their outputs, the bytes of the file."""

    study: str
    editions: tuple[Edition, ...]
    outputs: tuple[Output, ...]
    payload: bytes

    @property
    def latest(self) -> Edition | None:
        """The last edition, withdrawn or not."""
        return self.editions[-1] if self.editions else None


def register_path(root: Path, slug: str) -> Path:
    """Say where a study's register lies."""
    return root / FOLDER / f"{slug}.jsonl"


def read_register(root: Path, slug: str) -> Register:
    """Read a study's register; one without editions where there is no file.

    Raises
    ------
    DisclosureError
        Where a line is missing, damaged or stands twice.
    """
    path = register_path(root, slug)
    payload = path.read_bytes() if path.is_file() else b""
    try:
        lines = [json.loads(line) for line in payload.decode("utf-8").splitlines()]
    except ValueError as error:
        raise _damaged(path, "a line that is not JSON") from error
    for number, line in enumerate(lines, 1):
        check_schema(line, "release", f"{path.name}: line {number}")
    editions = _read_editions(path, lines)
    return Register(slug, editions, tuple(_read_output(x) for x in _of(lines, "output")), payload)


def read_registers(root: Path) -> tuple[Register, ...]:
    """Read the registers of all studies, sorted by name.

    Raises
    ------
    DisclosureError
        Where one of them is damaged.
    """
    return tuple(read_register(root, path.stem) for path in sorted((root / FOLDER).glob("*.jsonl")))


def list_checks(registers: tuple[Register, ...]) -> set[str]:
    """List the check values of the keys that registers were made with."""
    return {edition.key for register in registers for edition in register.editions} - {""}


def list_outputs(neck: Neck, study: Study) -> tuple[Output, ...]:
    """List what a neck would release: findings, comparisons, cells of tables.

    A finding without an estimate (``refused``) releases no statistic and is left out. A
    comparison rests on the union of its findings. The units of cells stand in
    ``protected["units"]`` as ``<exhibit>/<cell>``.
    """
    units = {key: frozenset(names) for key, names in neck.protected["units"].items()}
    kind = neck.protected["protected_unit"]
    stated = [e for e in neck.findings if e["kind"] == "finding" and e["direction"] != "refused"]
    resting = {e["id"]: units.get(_key(e), frozenset()) for e in stated}
    outputs = [
        replace(
            _output(study, kind, f"finding/{e['id']}", e["claim"], e["outcome"],
                    _name_model(study.specification(e["rows"][0]["specification"]), e["exposure"]),
                    resting[e["id"]]),
            rows=frozenset(f"{u} {h}" for u, h in neck.protected["rows"].get(_key(e), {}).items()),
        )
        for e in stated
    ]  # fmt: skip
    for entry in neck.findings:
        if entry["kind"] == "comparison":
            together = frozenset[str]().union(*(resting.get(i, ()) for i in entry["findings"]))
            place = f"comparison/{entry['id']}"
            outputs.append(
                _output(study, kind, place, place, entry["outcome"], "comparison", together)
            )
    exhibits = {exhibit.id: exhibit.specification for exhibit in neck.exhibits}
    for key in sorted(units):
        name = key.partition("/")[0]
        if name in exhibits and units[key]:
            about = exhibits[name]
            outcome = str(about.get("outcome", about.get("value", name)))
            statistic = str(about.get("statistic", about["kind"]))
            outputs.append(_output(study, kind, key, name, outcome, statistic, units[key]))
    return tuple(outputs)


def hash_units(output: Output, key: bytes) -> Output:
    """Put keyed hashes in the place of names."""
    kind = output.protected_unit
    return replace(
        output,
        units=frozenset(hash_unit(key, kind, name) for name in output.units),
        rows=frozenset(hash_unit(key, f"{kind}, rows", name) for name in output.rows),
    )


def add_edition(
    register: Register, edition: Edition, outputs: tuple[Output, ...], about: dict[str, Any]
) -> bytes:
    """Add an edition with its outputs to a register; return the bytes of the file.

    Parameters
    ----------
    outputs : tuple of Output
        With keyed hashes for restricted data, without units for all others.
    about : dict
        ``confidentiality`` and ``threshold``.
    """
    shared = {"study": register.study, "edition": edition.number, "date": edition.date}
    heading = {
        "kind": "edition",
        "schema_version": 1,
        **shared,
        **about,
        "cleared": edition.cleared,
        "signed": edition.signed,
        "checked": list(edition.checked),
        "key": edition.key,
        "n_outputs": len(outputs),
        "files": edition.files,
    }
    lines = [heading]
    lines += [
        {
            "kind": "output",
            **shared,
            "output": output.id,
            "group": output.group,
            "outcome": output.outcome,
            "statistic": output.statistic,
            "protected_unit": output.protected_unit,
            "n_units": output.n_units,
            "units": sorted(output.units),
            "rows": sorted(output.rows),
            "cleared": edition.cleared,
        }
        for output in outputs
    ]
    return register.payload + _as_lines(lines)


def add_withdrawal(register: Register, number: int, *, date: str, by: str, reason: str) -> bytes:
    """Add the withdrawal of an edition to a register; return the bytes of the file."""
    line = {"kind": "withdrawal", "study": register.study, "edition": number, "date": date,
            "by": by, "reason": reason}  # fmt: skip
    return register.payload + _as_lines([line])


def hash_file(payload: bytes) -> str:
    """Hash the bytes of a published file."""
    return hashlib.sha256(payload).hexdigest()


def _as_lines(lines: list[dict[str, Any]]) -> bytes:
    for line in lines:
        check_schema(line, "release", "register of releases")
    texts = (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
    return "".join(texts).encode("utf-8")


def _key(entry: dict[str, Any]) -> str:
    return f"{entry['case']}/{entry['rows'][0]['specification']}"


def _name_model(spec: Specification, exposure: str) -> str:
    """Name a coefficient by what is estimated, so that it is known again in another study."""
    regressors, effects = ",".join(sorted(spec.regressors)), ",".join(sorted(spec.effects))
    return f"{spec.estimator}: {exposure} | {regressors} | {effects}"


def _output(
    study: Study, kind: str, name: str, group: str, outcome: str, statistic: str,
    units: frozenset[str],
) -> Output:  # fmt: skip
    return Output(name, study.slug, 0, group, outcome, statistic, kind, len(units), units)


def _of(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def _read_editions(path: Path, lines: list[dict[str, Any]]) -> tuple[Edition, ...]:
    headings, outputs = _of(lines, "edition"), _of(lines, "output")
    if [line["edition"] for line in headings] != list(range(1, len(headings) + 1)):
        raise _damaged(path, "editions that do not count up from the first")
    if any(line["study"] != path.stem for line in lines):
        raise _damaged(path, "a line of another study")
    expected = {line["edition"]: line["n_outputs"] for line in headings}
    for number in sorted({o["edition"] for o in outputs} | expected.keys()):
        if sum(o["edition"] == number for o in outputs) != expected.get(number):
            raise _damaged(path, f"not all lines of edition {number}")
    gone = {line["edition"]: line for line in _of(lines, "withdrawal")}
    return tuple(_read_edition(line, gone.get(line["edition"])) for line in headings)


def _read_edition(line: dict[str, Any], withdrawal: dict[str, Any] | None) -> Edition:
    return Edition(
        number=line["edition"],
        date=line["date"],
        cleared=line["cleared"],
        signed=line["signed"],
        checked=tuple(line["checked"]),
        key=line["key"],
        files=line["files"],
        withdrawn=withdrawal["date"] if withdrawal else "",
        reason=withdrawal["reason"] if withdrawal else "",
    )


def _read_output(line: dict[str, Any]) -> Output:
    return Output(
        id=line["output"],
        study=line["study"],
        edition=line["edition"],
        group=line["group"],
        outcome=line["outcome"],
        statistic=line["statistic"],
        protected_unit=line["protected_unit"],
        n_units=line["n_units"],
        units=frozenset(line["units"]),
        rows=frozenset(line["rows"]),
    )


def _damaged(path: Path, seen: str) -> DisclosureError:
    return DisclosureError(
        f"{FOLDER.as_posix()}/{path.name}",
        seen=seen,
        expected="the register as evidence publish wrote it",
        do="Restore the file from version control; it must never be edited by hand.",
    )
