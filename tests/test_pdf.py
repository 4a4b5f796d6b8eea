"""The PDF of a brief: standards, text layer, pages, and nothing of the data as code."""

from __future__ import annotations

from typing import Any

import page
import pytest

from evidence.brief.imprint import DRAFT, word_imprint
from evidence.brief.model import compose
from evidence.brief.pdf import typeset
from evidence.disclosure import Cleared, clear, scan_bytes
from evidence.neck import Neck
from evidence.study import Study

STANDARDS = (page.ValidationProfile.PDF_UA_1, page.ValidationProfile.PDF_A_2A)


@pytest.fixture(scope="module")
def cleared(plants: Study, plants_neck: Neck) -> Cleared:
    return clear(plants_neck, plants)


def worded(cleared: Cleared, language: str, audience: str = "") -> dict[str, Any]:
    return {**compose(cleared, language, audience), **word_imprint(DRAFT, language)}


def test_a_brief_meets_both_standards_and_is_made_alike_twice(cleared: Cleared) -> None:
    made = typeset(worded(cleared, "en"))
    for standard in STANDARDS:
        assert [f.rule_id for f in page.validate_pdf_bytes(made, profile=standard).failures] == []
    assert typeset(worded(cleared, "en")) == made
    scan_bytes(made, cleared, "brief.en.pdf")
