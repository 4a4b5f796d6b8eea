"""Cards of briefs for tests of the portal: made up, and named so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TITLES = {
    "en": "Simulated: closing wage violations is associated with less unpaid overtime",
    "ja": "模擬データ: 賃金違反の公表は未払い残業の減少と関連している",
    "vi": "Dữ liệu mô phỏng: công khai vi phạm tiền lương gắn với ít giờ làm thêm không lương hơn",
    "km": "ទិន្នន័យក្លែងធ្វើ៖ ការបិទផ្សាយវិធានប្រាក់ឈ្នួលពាក់ព័ន្ធនឹងម៉ោងបន្ថែមគ្មានប្រាក់ឈ្នួលតិចជាង",
    "bn": "কৃত্রিম উপাত্ত: মজুরি লঙ্ঘন প্রকাশের সঙ্গে কম অবৈতনিক অতিরিক্ত কাজ সম্পর্কিত",
}
MESSAGES = {
    "en": "Factories with a bargaining committee show fewer violations.",
    "ja": "団体交渉委員会のある工場では違反が少ない。",
    "vi": "Nhà máy có ủy ban thương lượng có ít vi phạm hơn.",
    "km": "រោងចក្រដែលមានគណៈកម្មាធិការចរចាមានការរំលោភតិចជាង។",
    "bn": "দরকষাকষি কমিটি থাকা কারখানায় লঙ্ঘন কম।",
}
COUNTRIES = ("BGD", "KHM", "JPN", "VNM")
SECTORS = ("garment", "electronics", "automotive")
GRADES = ("high", "moderate", "low", "very low", "cannot tell")
GOALS = ("5", "8.2", "8.5", "8.7", "8.8", "12.6", "17")


def make_card(slug: str, language: str = "en", **changes: Any) -> dict[str, Any]:
    """Make the card of a brief."""
    return {
        "slug": slug,
        "language": language,
        "audience": "government",
        "title": TITLES[language],
        "question": "",
        "simulated": True,
        "messages": [MESSAGES[language]],
        "grade": "low",
        "state": "draft",
        "edition": None,
        "date": "",
        "countries": ["KHM"],
        "sectors": ["garment"],
        "sdg": ["8.8"],
        "formats": {"html": f"brief.{language}.html"},
        "reviewed": language == "en",
        **changes,
    }


def write_card(folder: Path, card: dict[str, Any], *, first: bool = True) -> None:
    """Write a card and empty files of its formats beside it."""
    language = card["language"]
    stem = f"brief.{language}" if first else f"brief.{card['audience']}.{language}"
    named = {kind: f"{stem}.{kind}" for kind in card.get("formats", {"html": ""})}
    if "formats" in card:
        card = {**card, "formats": named}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.json").write_text(json.dumps(card, ensure_ascii=False), "utf-8")
    for name in named.values():
        (folder / name).write_text("<!DOCTYPE html><title>brief</title>", "utf-8")


def write_many(
    public: Path, studies: int, audiences: tuple[str, ...] = ("government",)
) -> list[str]:
    """Write studies in five languages for some audiences, of every facet; return their slugs."""
    slugs = [f"study_{number:03}" for number in range(studies)]
    for number, slug in enumerate(slugs):
        state: dict[str, Any] = {
            "countries": [COUNTRIES[number % 4]],
            "sectors": [SECTORS[number % 3]],
            "grade": GRADES[number % 5],
            "sdg": [GOALS[number % 7], "8.8"],
            "formats": {"html": "", "pdf": "", "docx": ""},
        }
        published = number % 3 == 0
        if published:
            state |= {"state": "published", "edition": 2, "date": f"2026-0{number % 9 + 1}-11"}
        for language, words in TITLES.items():
            for place, audience in enumerate(audiences):
                title = f"{words} ({number:03})"
                card = make_card(slug, language, title=title, audience=audience, **state)
                write_card(public / slug, card, first=place == 0)
                if published:
                    _write_editions(public / slug / "editions", card, first=place == 0)
        if published:
            write_replies_of(public / slug)
    return slugs


def _write_editions(folder: Path, card: dict[str, Any], *, first: bool) -> None:
    before = {**card, "edition": 1, "date": "2025-12-01", "grade": "cannot tell", "messages": []}
    write_card(folder / "1", before, first=first)
    write_card(folder / "2", card, first=first)


def write_replies_of(folder: Path) -> None:
    """Write the file of replies as the gate does."""
    reply = {
        "claim": "main",
        "who": "A union that does not exist",
        "party": "workers",
        "date": "2026-09-01",
        "text": {"km": "យើងឃើញដូចគ្នា។", "en": "We see the same <on> our floors."},
    }
    document = {"schema_version": 1, "replies": [reply]}
    (folder / "replies.json").write_text(json.dumps(document, ensure_ascii=False), "utf-8")
