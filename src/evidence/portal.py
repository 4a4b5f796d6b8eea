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
from evidence.language import say
from evidence.neck import replace_file

_TEMPLATES = Path(__file__).parent / "templates" / "portal"


def write_portal(public: Path, language: str = "en") -> Path:
    """Write ``index.html`` over every brief that lies in ``public``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    BriefError
        Where no brief lies there.
    """
    briefs = [_read_card(path) for path in sorted(public.glob("*/brief.*.json"))]
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
    names = ("title", "lead", "briefs", "simulated", "footer")
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


def _read_card(path: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {**card, "page": f"{path.parent.name}/{path.stem}.html"}
