"""Which rows each case reads of the sources, by their hash; reading them once is enough."""

from __future__ import annotations

import json
from typing import Any

from evidence.files import replace_file
from evidence.run.inputs import Pieces, hash_json
from evidence.sources import describe_case, fingerprint, load_record
from evidence.study import Study

_FILE = "rows.json"
_TOLD: dict[str, dict[str, Any]] = {}
"""What this process has read: a run is planned before it and after it, on the same rows."""


def list_data(study: Study, seed: int, reader: str, *, keep: bool = False) -> dict[str, Pieces]:
    """Hash what each case reads of each source.

    A simulated source draws each case by itself, and without cases all rows are read: there
    the record and the files tell. Otherwise the rows are read, unless the same files were
    read for an earlier plan.

    Parameters
    ----------
    reader : str
        Hash of the code and environment that read files: others may read other rows.
    keep : bool
        Keep the hashes for the next plan; off, nothing is written.

    Returns
    -------
    dict
        Case id → source → ``sha256`` and, where rows were counted, ``rows``.
    """
    known = _read(study)
    earlier, data = known | _TOLD.get(str(study.path), {}), {c.id: Pieces() for c in study.cases}
    found: dict[str, Any] = {}
    for source in study.data.sources:
        whole = fingerprint(study.root, source, seed=seed)
        if not study.cases[0].values:
            data[study.cases[0].id][source] = {"sha256": whole}
        elif load_record(study.root, source).kind == "simulated":
            for case in study.cases:
                own = describe_case(study.root, source, case.values)
                data[case.id][source] = {"sha256": hash_json([own, seed])}
        else:
            key = hash_json([whole, reader, study.panel.uncertain_matches])
            found[source] = _find(study, source, seed, key, earlier.get(source, {}))
            for case in study.cases:
                own = describe_case(study.root, source, case.values)
                digest, rows = found[source]["cases"][case.id]
                data[case.id][source] = {"sha256": hash_json([own, digest]), "rows": rows}
    _TOLD[str(study.path)] = found
    if keep and found != known:
        _write(study, found)
    return data


def _find(study: Study, source: str, seed: int, key: str, known: dict[str, Any]) -> dict[str, Any]:
    """Take the hashes of a source's rows from an earlier plan, or read the rows."""
    ids = [case.id for case in study.cases]
    if known.get("key") == key and set(ids) <= set(known["cases"]):
        return known
    from evidence.sources import hash_cases

    told = hash_cases(
        study.root, source, study.cases, seed=seed, uncertain=study.panel.uncertain_matches
    )
    return {"key": key, "cases": {name: list(of) for name, of in told.items()}}


def _read(study: Study) -> dict[str, Any]:
    """Read what an earlier plan kept; nothing where it is not as it was written."""
    try:
        kept = json.loads((study.internal / _FILE).read_text(encoding="utf-8"))
        whole = kept["sha256"] == hash_json(kept["sources"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(kept["sources"]) if whole else {}


def _write(study: Study, sources: dict[str, Any]) -> None:
    document = {"sha256": hash_json(sources), "sources": sources}
    text = json.dumps(document, indent=1, sort_keys=True)
    replace_file(study.internal / _FILE, text.encode(), mode=0o600)
