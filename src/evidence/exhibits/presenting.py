"""A figure as a page sets it: words, two pictures, its numbers as a table."""

from __future__ import annotations

from typing import Any

from evidence.exhibits.captions import entitle, subtitle
from evidence.exhibits.drawing import as_address, draw
from evidence.exhibits.noun import Exhibit
from evidence.exhibits.spoken import describe
from evidence.exhibits.tables import tabulate
from evidence.exhibits.words import note_cells
from evidence.study import Study


def present(study: Study, language: str, exhibit: Exhibit) -> dict[str, Any]:
    """Present a figure in a language.

    Returns
    -------
    dict
        ``id``, ``kind`` (its form), ``title``, ``subtitle``, ``alt``; ``wide`` and ``narrow``,
        SVG as data addresses; ``table``: ``head``, and ``body`` of rows of ``text`` and
        ``direction``; ``note`` on what was withheld or rounded, empty for most.

    Raises
    ------
    ExhibitError
        Where the exhibit is no figure.
    LanguageError
        Where the language lacks a message.
    """
    wide, narrow = (draw(exhibit, study, language, width) for width in ("wide", "narrow"))
    head, body = tabulate(study, language, exhibit)
    rows = [[{"text": text, "direction": way} for text, way in row] for row in body]
    return {
        "id": exhibit.id,
        "kind": exhibit.form,
        "title": entitle(study, language, exhibit),
        "subtitle": subtitle(study, language, exhibit),
        "alt": describe(study, language, exhibit),
        "wide": as_address(wide),
        "narrow": as_address(narrow),
        "table": {"head": head, "body": rows},
        "note": note_cells(language, exhibit) if exhibit.specification["kind"] == "cells" else "",
    }
