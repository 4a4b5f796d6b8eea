"""What the makers of data say against a use of them: printed beside every exhibit."""

from __future__ import annotations

from evidence.language import say
from evidence.sources import load_record
from evidence.study import Study, nouns_of


def list_cautions(study: Study, language: str) -> list[dict[str, str]]:
    """List the cautions on a study's data.

    Returns
    -------
    list of dict
        ``said`` in the reader's language; ``text``, the producer's own words in quotation
        marks, in ``language``.

    Raises
    ------
    SourceError
        Where a record is missing or wrong.
    """
    records = [load_record(study.root, source) for source in study.data.sources]
    return [
        {
            "said": say(language, f"caution.{told.against}", nouns=nouns_of(study, language)[1]),
            "text": f"\N{LEFT DOUBLE QUOTATION MARK}{told.quote}\N{RIGHT DOUBLE QUOTATION MARK}",
            "language": told.language,
        }
        for told in (record.caution for record in records)
        if told is not None
    ]
