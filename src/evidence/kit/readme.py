"""The kit's README: data availability, requirements, exhibits and programs, how to verify.

Its sections are those that journals' data editors ask for (README template of the social
science data editors; Data and Code Availability Standard).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evidence.disclosure import Cleared
from evidence.kit.collect import Contents, load_records, may_go_along
from evidence.kit.exhibits import Line
from evidence.sources import Record
from evidence.study import Study

_SIMULATED = "**These data are simulated: no unit in them exists, and nothing is learnt from them."


def write_readme(
    cleared: Cleared, contents: Contents, lines: Iterable[Line], manifest: dict[str, Any]
) -> str:
    """Write the kit's README in Markdown, the same for the same run."""
    study = cleared.study
    records = load_records(study)
    parts = [
        _overview(study, contents),
        _availability(records, manifest),
        _datasets(records),
        _requirements(manifest),
        _instructions(study, contents),
        _programs(study, lines, manifest),
        _left_out(contents),
        _references(records),
    ]
    return "\n".join(line for part in parts for line in [*part, ""])


def _overview(study: Study, contents: Contents) -> list[str]:
    brought = "its executed notebooks and tables (`records/`), " if contents.proves else ""
    return [
        f"# Replication kit: {study.slug}",
        "",
        study.heading.question,
        "",
        (
            f"The kit holds the study file and its notebooks (`notebooks/`), the papers of its sources and "
            f"the packs (`data/`), the program (`src/`), {brought}and the published files "
            f"(`reports/public/{study.slug}/`). `ro-crate-metadata.json` describes it for machines "
            "(RO-Crate, Process Run Crate profile), `exhibits.csv` leads from each number to its cell."
        ),
    ]


def _availability(records: tuple[Record, ...], manifest: dict[str, Any]) -> list[str]:
    lines = ["## Data availability and provenance"]
    for record in records:
        lines += ["", f"### {record.title}", "", _tell_access(record), ""]
        facts = {
            "Producer": record.producer,
            "Citation": record.citation,
            "Version": record.version,
            "Licence": record.licence,
            "Confidentiality": record.confidentiality,
            "Address": record.url,
            "Data agreement": record.agreement,
            "Fingerprint expected (record and files)": manifest["data"].get(record.id, ""),
        }
        lines += [f"- {name}: {value}" for name, value in facts.items() if value]
        pinned = {t.file: t.sha256 for t in record.tables if t.sha256}
        lines += [f"- SHA-256 of `{file}`: {digest}" for file, digest in pinned.items()]
    return lines


def _tell_access(record: Record) -> str:
    """Tell where the data are: with the program, drawn, in the kit, or elsewhere."""
    if record.kind == "packaged":
        return (
            f"The file ships inside the Python package `{record.package}`, which the lock file "
            "installs. Nothing else is to be had."
        )
    if record.kind == "simulated":
        return (
            f"{_SIMULATED}** A run draws them anew from the parameters in "
            f"`data/sources/{record.id}.toml` and its seed; the true effects stand there."
        )
    place = f"`data/raw/{record.id}/`"
    if may_go_along(record):
        return f"The raw files are in the kit, under {place}."
    kept = " They are restricted." if record.confidentiality == "restricted" else ""
    return (
        f"**The raw files are not in the kit.**{kept} Ask the producer for them under the licence "
        f"below and put them under {place}; `evidence verify` says where data are not those of the "
        "record."
    )


def _datasets(records: tuple[Record, ...]) -> list[str]:
    lines = [
        "## Data sets",
        "",
        "| source | table | file | key | in the kit |",
        "|---|---|---|---|---|",
    ]
    for record in records:
        known = {"packaged": "with the lock file", "simulated": "drawn by a run"}
        held = known.get(record.kind, "yes" if may_go_along(record) else "no")
        lines += [
            f"| {record.id} | {table.name} | `{table.file}` | {', '.join(table.key)} | {held} |"
            for table in record.tables
        ]
    return lines


def _requirements(manifest: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {v}" for name, v in sorted(manifest["versions"].items()))
    processor = manifest.get("processor", {})
    told = ", ".join(value for _, value in sorted(processor.items()) if value)
    seconds = sum(run["seconds"] for run in manifest["runs"])
    return [
        "## Computational requirements",
        "",
        (
            f"- Software: {versions}; all of it pinned with hashes in `requirements.lock`, for conda in "
            "`environment.yml`."
        ),
        *([f"- Processor of the recorded run: {told}."] if told else []),
        (
            f"- Time of the notebooks: {seconds:.0f} seconds ({len(manifest['runs'])} in all), one after the "
            "other, on that processor; the briefs take a few minutes more."
        ),
        (
            f"- Randomness: seed {manifest['seed']} for simulated sources and for every draw of the "
            "inference; hash seed and threads of the linear algebra are fixed by the program."
        ),
        "- Network: needed once, to install; runs and verification use none.",
    ]


def _instructions(study: Study, contents: Contents) -> list[str]:
    file = study.path.relative_to(study.root).as_posix()
    first = (
        "`evidence verify` executes the notebooks again and compares every cell and table with "
        "`records/`, then recomputes the published files and compares them."
        if contents.proves
        else "The data are needed first; then `evidence run` makes the results, and "
        "`evidence verify` executes the notebooks again and compares the published files."
    )
    run = [] if contents.proves else [f"evidence run {file}"]
    return [
        "## How to verify, and how to run again",
        "",
        first + " On the same lock and processor every byte must be the same; elsewhere numbers "
        "within 1e-9.",
        "",
        "```",
        "python3.11 -m venv .venv && . .venv/bin/activate",
        "pip install --require-hashes -r requirements.lock",
        "pip install --no-deps --no-build-isolation .",
        *run,
        f"evidence verify {file}",
        "```",
        "",
        f"To make everything again in place: `evidence run {file} && evidence brief {file}`.",
    ]


def _programs(study: Study, lines: Iterable[Line], manifest: dict[str, Any]) -> list[str]:
    times: dict[str, float] = {}
    for run in manifest["runs"]:
        times[run["notebook"]] = times.get(run["notebook"], 0.0) + run["seconds"]
    told = [f"- `notebooks/{name}.ipynb`: {took:.0f} seconds" for name, took in times.items()]
    head = ["| what | notebook | cells | numbers in |", "|---|---|---|---|"]
    rows = [
        f"| {line.kind} `{line.id}` | `{line.notebook}` | {line.cells.replace(' ', ', ')} | "
        f"`{line.file}`{': ' + line.row if line.row else ''} |"
        for line in lines
    ]
    return [
        "## Programs, and what each of them makes",
        "",
        *told,
        "",
        f"Every number of a page carries its trail there; `{study.slug}` shows:",
        "",
        *head,
        *rows,
    ]


def _left_out(contents: Contents) -> list[str]:
    if not contents.left_out:
        return []
    lines = [
        "## Left out",
        "",
        "These hold what must not be handed on; a run makes them again:",
        "",
    ]
    return [*lines, *(f"- {told}" for told in contents.left_out)]


def _references(records: tuple[Record, ...]) -> list[str]:
    return ["## References", "", *(f"- {record.citation}" for record in records)]
