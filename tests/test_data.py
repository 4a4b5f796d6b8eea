from __future__ import annotations

from pathlib import Path

from evidence.sources import describe_records

ROOT = Path(__file__).parents[1]


def test_the_page_about_the_data_is_what_the_records_say() -> None:
    page = (ROOT / "data/README.md").read_text("utf-8")
    assert page == describe_records(ROOT), "run make data-readme"
