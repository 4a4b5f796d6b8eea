"""How long the pages of one reader take: five languages, HTML and PDF, on two cores.

Needs the runs of the studies (``make briefs``); fonts are cached by a first, untimed round.
Prints the median, least and most of several rounds; what is read and cleared before is not timed,
what the gate reads of each file is.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from evidence.brief.exporter import BriefExporter
from evidence.brief.page import open_pool
from evidence.brief.pdf import typeset
from evidence.disclosure import Cleared, clear, scan_bytes
from evidence.neck import read_neck
from evidence.study import load_study

STUDIES = Path(__file__).parents[1] / "notebooks" / "studies"
ROUNDS = 3


def render(cleared: Cleared, language: str) -> int:
    page, made = BriefExporter().from_cleared(cleared, language)
    payload = typeset(made["brief"])
    scan_bytes(payload, cleared, f"brief.{language}.pdf")
    return len(page) + len(payload)


def fan_out(cleared: Cleared) -> float:
    languages = cleared.study.brief.languages
    start = time.perf_counter()
    with open_pool(2) as pool:
        list(pool.map(render, [cleared] * len(languages), languages))
    return time.perf_counter() - start


def main() -> None:
    for slug in sys.argv[1:] or ("plants", "value_chains"):
        study = load_study(STUDIES / f"{slug}.toml")
        cleared = clear(read_neck(study.internal), study)
        fan_out(cleared)
        seconds = [fan_out(cleared) for _ in range(ROUNDS)]
        told = f"{statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
        print(f"{slug}: {len(study.brief.languages)} languages, HTML and PDF: {told}")


if __name__ == "__main__":
    main()
