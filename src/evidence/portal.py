"""Many studies' public folders become one static page, readable from any folder."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evidence.brief.fonts import embed_font
from evidence.errors import BriefError
from evidence.language import format_day, format_plain, say
from evidence.neck import replace_file

_CARD = ("language", "title", "question", "simulated")
_TEMPLATES = Path(__file__).parent / "templates" / "portal"


def write_portal(public: Path, slugs: list[str], language: str = "en") -> Path:
    """Write ``index.html`` over the briefs of these studies that lie in ``public``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    BriefError
        Where no brief lies there.
    """
    paths = [path for slug in slugs for path in sorted((public / slug).glob("brief.*.json"))]
    briefs = [_read_card(path, public) for path in paths]
    if not briefs:
        raise BriefError(
            "portal",
            seen="no brief",
            expected="at least one under reports/public/",
            do="Write one first: evidence brief <study file>.",
        )
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    names = ("title", "lead", "briefs", "simulated", "published", "footer")
    words = {key: say(language, f"portal.{key}") for key in names}
    font = embed_font(json.dumps([briefs, words], ensure_ascii=False))
    css = (_TEMPLATES / "portal.css").read_text(encoding="utf-8").replace("FONT_ADDRESS", font)
    page = environment.get_template("index.html.j2").render(
        language=language,
        briefs=briefs,
        css=css,
        css_hash=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        words=words,
    )
    target = public / "index.html"
    replace_file(target, page.encode("utf-8"))
    return target


def _read_card(path: Path, public: Path) -> dict[str, Any]:
    """Read a brief's card, with those of its published editions, latest first."""
    shown = _read_one(path, public)
    folders = [f for f in path.parent.glob("editions/*") if f.name.isdigit()]
    numbered = sorted(folders, key=lambda folder: -int(folder.name))
    found = [folder / path.name for folder in numbered]
    return {**shown, "editions": [_read_one(card, public) for card in found if card.is_file()]}


def _read_one(path: Path, public: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        shown = {key: card[key] for key in _CARD}
        shown["message"] = card["messages"][0] if card["messages"] else ""
        shown["state"] = card.get("state", "draft")
        shown["imprint"] = _word_state(card)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise BriefError(
            f"{path.parent.name}/{path.name}",
            seen="something else than the card of a brief",
            expected="the file as evidence brief wrote it",
            do="Write the brief again, or remove the file.",
        ) from error
    return {**shown, "page": path.with_suffix(".html").relative_to(public).as_posix()}


def _word_state(card: dict[str, Any]) -> str:
    language, state = card["language"], card.get("state", "draft")
    if state == "draft":
        return say(language, "portal.draft")
    kind = "edition" if state == "published" else "withdrawn"
    day = format_day(language, card["date"])
    return say(language, f"portal.{kind}", number=format_plain(language, card["edition"]), date=day)
