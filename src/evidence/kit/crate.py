"""The kit as an RO-Crate: which run of which notebook, from what, gave what.

Profile: Process Run Crate 0.5, on RO-Crate 1.1, which it rests on.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
from datetime import datetime, timedelta
from typing import Any

from evidence.disclosure import Cleared
from evidence.errors import RunError
from evidence.kit.collect import Contents, load_records
from evidence.run import RECORDS

METADATA = "ro-crate-metadata.json"
_VERSION = "1.1"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_LICENCE = "https://spdx.org/licenses/MIT"
_SHA256 = "http://schema.org/sha256"
"""A term that the context of RO-Crate 1.1 does not hold yet."""

_PROGRAM = "#evidence"
_FORMATS = {
    ".ipynb": "application/x-ipynb+json",
    ".toml": "application/toml",
    ".md": "text/markdown",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".tex": "application/x-tex",
}


def describe_crate(
    crate: Any,
    cleared: Cleared,
    contents: Contents,
    own: dict[str, bytes],
    manifest: dict[str, Any],
) -> bytes:
    """Describe a kit: the bytes of its ``ro-crate-metadata.json``, the same for the same run.

    Parameters
    ----------
    crate : ROCrate
        An empty one, from ``open_crate``.
    own : dict
        The kit's own files beside its contents, such as the README.
    """
    study = cleared.study
    crate.name = f"Replication kit: {study.slug}"
    crate.description = study.heading.question
    crate.datePublished = manifest["finished"]
    crate.license = _add(crate, _LICENCE, "CreativeWork", name="MIT, for the program; data as told")
    crate.root_dataset["conformsTo"] = _add(
        crate, _PROFILE, "CreativeWork", name="Process Run Crate", version="0.5"
    )
    notebooks = {f"notebooks/{name}.ipynb" for name in study.notebooks}
    files = {**own, **contents.papers, **contents.data, **contents.public, **contents.records}
    known = {
        name: _add_file(crate, name, payload, source=name in notebooks)
        for name, payload in sorted(files.items())
    }
    crate.add_dataset(dest_path="src/", properties={"name": "the program"})
    program = _add(
        crate,
        _PROGRAM,
        "SoftwareApplication",
        name="evidence",
        softwareVersion=manifest["versions"]["evidence"],
        softwareRequirements=known.get("requirements.lock"),
    )
    used = [known[f"data/sources/{record.id}.toml"] for record in load_records(study)]
    used.append(known[study.path.relative_to(study.root).as_posix()])
    public = [known[name] for name in sorted(contents.public)]
    for run in manifest["runs"]:
        _add_run(crate, run, known, used, public)
    crate.add_action(
        program,
        identifier="#brief",
        object=used,
        result=public,
        properties={"name": "Clear what was found and write the briefs"},
    )
    text = json.dumps(crate.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False)
    return (text + "\n").encode("utf-8")


def open_crate() -> Any:
    """Open an empty crate.

    Raises
    ------
    RunError
        Where rocrate, which is the extra ``kit``, is not installed.
    """
    try:
        from rocrate.rocrate import ROCrate
    except ModuleNotFoundError as error:
        raise RunError(
            "evidence kit",
            seen="no rocrate here",
            expected="the extra 'kit', which describes a kit for machines",
            do="Install it: pip install 'evidence[kit]'. Nothing was written.",
        ) from error
    crate = ROCrate(version=_VERSION)
    crate.metadata.extra_terms["sha256"] = _SHA256
    return crate


def _add(crate: Any, identifier: str, kind: str, **properties: Any) -> Any:
    from rocrate.model.contextentity import ContextEntity

    told = {name: value for name, value in properties.items() if value is not None}
    return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **told}))


def _add_file(crate: Any, name: str, payload: bytes, *, source: bool) -> Any:
    """Add a file with its format and hash; a notebook is a program as well."""
    ending = name[name.rfind(".") :]
    properties: dict[str, Any] = {
        "name": name.rsplit("/", 1)[-1],
        "encodingFormat": _FORMATS.get(ending) or mimetypes.types_map.get(ending, "text/plain"),
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    if source:
        properties |= {"@type": ["File", "SoftwareSourceCode"], "programmingLanguage": "Python"}
    return crate.add_file(dest_path=name, properties=properties)


def _add_run(
    crate: Any, run: dict[str, Any], known: dict[str, Any], used: list[Any], public: list[Any]
) -> None:
    """Add the run of a notebook; its results are its record, or the public files without one."""
    case = f"{RECORDS}/cases/{run['case']}/{run['notebook']}/"
    results = [entity for name, entity in known.items() if name.startswith(case)]
    times = {}
    if "finished" in run:
        end = datetime.fromisoformat(run["finished"])
        start = end - timedelta(seconds=round(run["seconds"]))
        times = {"startTime": start.isoformat(), "endTime": end.isoformat()}
    crate.add_action(
        known[f"notebooks/{run['notebook']}.ipynb"],
        identifier=f"#run-{run['case']}-{run['notebook']}",
        object=used,
        result=results or public,
        properties={
            "name": f"Run {run['notebook']}.ipynb, case {run['case']}",
            "actionStatus": "http://schema.org/CompletedActionStatus",
            **times,
        },
    )
