"""What points at a machine or a person, runs, loads from elsewhere, or draws every row."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evidence.disclosure.reading import Part
from evidence.disclosure.reading.texts import TAG

_PATHS = ("/site-packages/", "/dist-packages/", "/home/", "/Users/", "/var/folders/", "/root/",
          "file:///", "Traceback (most recent call last)")  # fmt: skip
_PATH = re.compile(
    r"(?<![\w:/.])/(?:tmp|mnt|opt|srv|usr/(?:lib|local|share)|private|media)/[\w.~-]+/?[\w.~-]"
    r"|(?<!\w)[A-Za-z]:\\+(?:Users|Documents|Windows|Program|Temp|Data)\b|(?<![\\\w])\\\\[\w.-]+\\[\w$.-]+\\"
    r"|Cell In\[\d+\], line \d+|(?<!\w)File \"[^\"\n]+\", line \d+|-{20,}\n?\w+Error\b"
)
_PATH_HINTS = ("tmp/", "/mnt/", "/opt/", "/srv/", "/usr/", "/private/", "/media/", ":\\", "\\\\",
               "Cell In[", 'File "', "Error")  # fmt: skip
_ATTRIBUTE_HINTS = (":author", ":initials", ":userId", ":lastModifiedBy")
_STDERR = re.compile(
    r"(?:^|[\s>:])[A-Z]\w*Warning: |vnd\.jupyter\.stderr|output_stderr"
    r"|\"name\"\s*:\s*\"stderr\"",
    re.MULTILINE,
)
_PAPERMILL = re.compile(r"[\"']papermill[\"']\s*:|injected-parameters")
_PROGRAM = re.compile(
    r"(?:matplotlib|typst|pandoc|openpyxl|python-docx|libreoffice|skia|chromium|pdftex|luatex"
    r"|xetex|cairo|ghostscript|quarto|weasyprint|inkscape|evidence|microsoft)\b[\w /.,:+()-]*",
    re.IGNORECASE,
)
_AUTHORS = re.compile(
    r"<((?:dc:creator|dc:publisher|dc:contributor|cp:lastModifiedBy|meta:initial-creator"
    r"|meta:printed-by|meta:editor|Manager|Company|author|pdf:Author|xmp:Author|tiff:Artist))"
    r"(?:\s[^>]*)?>(.*?)</\1\s*>",
    re.DOTALL,
)
_AUTHOR_ATTRIBUTE = re.compile(
    r"\b(?:w|w15|p|office|x|text):(?:author|initials|userId|lastModifiedBy)\s*=\s*[\"']\s*[^\"'\s]"
)
_PDF_NAMES = re.compile(
    r"/(Author|Creator|Producer|Manager|Company)\s*"
    r"(\((?:\\.|[^\\()]|\([^()]*\))*\)|<[0-9A-Fa-f\s]*>|\d+\s+\d+\s+R)",
    re.DOTALL,
)
_PDF_ACTIVE = re.compile(r"/(?:JavaScript|JS|Launch|SubmitForm|ImportData)\b")
_ACTIVE = re.compile(
    r"<\s*/?(script|iframe|frame|object|embed|applet|foreignobject|portal)\b", re.IGNORECASE
)
_HANDLER = re.compile(r"[\s/](on[a-z]+)\s*=", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_RUNS = re.compile(r"=\s*[\"']?\s*(?:javascript|vbscript)\s*:", re.IGNORECASE)
_ADDRESS = re.compile(
    r"\b(?:src|href|srcset|action|data|poster|background|formaction|ping|cite|manifest|imagesrcset)"
    r"\s*=\s*[\"']?\s*(?:[a-z][a-z0-9+.-]*:)?[\\/]{2}"
    r"|\bcontent\s*=\s*[\"'][^\"']*\burl\s*=",
    re.IGNORECASE,
)
_STYLE_ADDRESS = re.compile(r"url\(\s*[\"']?\s*(?:[a-z][a-z0-9+.-]*:)?//|@import\b", re.IGNORECASE)
_META_AUTHOR = re.compile(
    r"name\s*=\s*[\"']?(?:author|creator|publisher|dc\.creator|generator)[\"']?", re.IGNORECASE
)
_IN_TAGS = (
    (_HANDLER, ("=",)),
    (_RUNS, (":",)),
    (_ADDRESS, ("//", "\\", ";")),
    (_META_AUTHOR, ("=",)),
)
_CONTENT = re.compile(r"content\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_HIDDEN = re.compile(
    r"<w:vanish\s*/>|<w:comment\s|\bstate\s*=\s*\"(?:hidden|veryHidden)\""
    r"|<(?:row|col)\b[^>]*\bhidden\s*=\s*\"(?:1|true)\"|<absPath\b|:absPath\b"
)
_ELSEWHERE = re.compile(r"Target\s*=\s*\"(?:file:|[A-Za-z]:|\\\\|/(?:home|Users|tmp))")
_USE = re.compile(r"<use\b(?=[^>]*\sx\s*=)(?=[^>]*\sy\s*=)")
_MARK = re.compile(r"<(circle|ellipse|rect|image|line|text)\b")
_SHAPE = re.compile(
    r"<path\b[^>]*?\stransform\s*=[^>]*?\sd\s*=|<path\b[^>]*?\sd\s*=[^>]*?\stransform\s*="
)
_CURVE = re.compile(r"<path\b[^>]*?\sd\s*=\s*\"([^\"]*)\"")
_POINTS = re.compile(r"<poly(?:line|gon)\b[^>]*?\spoints\s*=\s*\"([^\"]*)\"")
_DEFINED = re.compile(r"<defs\b.*?</defs\s*>", re.DOTALL)
_PLACED = re.compile(r"/([\w.+-]+)\s+Do\b")

OUTSIDE = "an address outside the file"
PERSON = "the name of an author, an editor or a computer's user"
MACHINE = "a path of this machine or a traceback"


def find_traces(part: Part, root: Path) -> str:
    """Name what a part holds of the machine, of the run or of a person; empty if nothing."""
    own = [place for place in (str(root), f"{Path.home()}/") if len(place) > 2]
    for text in part.texts:
        if any(trace in text for trace in (*_PATHS, *own)):
            return MACHINE
        if not part.sure:
            continue
        if _search(_PATH, text, _PATH_HINTS):
            return MACHINE
        if part.kind != "pdf" and _search(_STDERR, text, ("Warning: ", "stderr")):
            return "warnings or errors of the run (stderr)"
        if _search(_PAPERMILL, text, ("papermill", "injected-parameters")):
            return "parameters or metadata of papermill"
    return _find_person(part) if part.sure else ""


def find_active(part: Part, address: str = "") -> str:
    """Name what runs, loads from elsewhere, or is hidden; empty if nothing.

    Parameters
    ----------
    address : str
        Where the study declares that its pages are hosted. A link (``<a href>``) to a page
        there is let through; nothing may be loaded from there, and nothing else is linked.
    """
    if part.kind in {"html", "svg"}:
        text = _first(part)
        return _find_in_tags(part, _strip_own(text, address) if part.kind == "html" else text)
    if part.kind in {"css", "xml"}:
        return _find_in_markup(part)
    if part.kind == "notebook":
        return _find_in_notebook(_first(part))
    if part.kind == "pdf" and any(_PDF_ACTIVE.search(text) for text in part.texts):
        return "a script"
    return ""


def count_marks(part: Part) -> int:
    """Count the most frequent kind of mark that a drawing places by coordinates."""
    text = _first(part)
    if part.kind == "pdf":
        counts = Counter(m[1] for t in part.texts for m in _PLACED.finditer(t))
        return max(counts.values(), default=0)
    if "<svg" not in text and part.kind != "svg":
        return 0
    drawn = _DEFINED.sub("", text)
    counts = Counter(match[1] for match in _MARK.finditer(drawn))
    lines = [d.upper().count("L") + 1 for d in _CURVE.findall(drawn) if _is_open(d)]
    lines += [len(points.split()) // 2 for points in _POINTS.findall(drawn)]
    placed = len(_USE.findall(text)), len(_SHAPE.findall(drawn))
    most: int = max(*placed, *lines, *counts.values())
    return most


def _search(rule: re.Pattern[str], text: str, hints: tuple[str, ...]) -> bool:
    """Search for a rule where one of the strings that it needs stands at all."""
    return any(hint in text for hint in hints) and rule.search(text) is not None


def _is_open(path: str) -> bool:
    """Tell a line through points from an outline or a letter."""
    return not re.search("[zZqQcCsStTaA]", path)


def _first(part: Part) -> str:
    return part.texts[0] if part.texts else ""


def _find_person(part: Part) -> str:
    if part.kind == "picture":
        return _find_in_picture(part.texts)
    for text in part.texts:
        if part.kind == "pdf" and any(_names_person(*m) for m in _PDF_NAMES.findall(text)):
            return PERSON
        if any(_is_person(re.sub("<[^>]*>", " ", m[1])) for m in _AUTHORS.findall(text)):
            return PERSON
        if _search(_AUTHOR_ATTRIBUTE, text, _ATTRIBUTE_HINTS):
            return PERSON
    return ""


def _names_person(key: str, value: str) -> bool:
    if value.endswith("R"):
        return key == "Author"
    raw = value[1:-1]
    if value.startswith("<"):
        digits = re.sub(r"\s", "", raw)
        raw = bytes.fromhex(digits + "0" * (len(digits) % 2)).decode("latin-1")
    return _is_person(re.sub("[\0\xfe\xff]|\\\\[0-7]{3}", "", raw))


def _is_person(text: str) -> bool:
    name = html.unescape(text).strip()
    return bool(name) and not _PROGRAM.fullmatch(name)


def _find_in_picture(texts: tuple[str, ...]) -> str:
    for text in texts:
        key, _, value = text.partition(": ")
        if key == "EXIF" or key in {"Raw profile type exif", "XML:com.adobe.xmp"}:
            return "metadata of a camera or a program (EXIF, XMP, IPTC)"
        if key in {"Author", "Artist", "Creator", "Copyright", "Comment"} and _is_person(value):
            return "the name of an author or a comment"
    return ""


def _find_in_tags(part: Part, text: str) -> str:
    if part.kind == "html" and "<!--" in text:
        return "a comment"
    if _ACTIVE.search(text):
        return "a script or a frame"
    shown = html.unescape(text)
    if _STYLE_ADDRESS.search(shown):
        return OUTSIDE
    suspect = any(_search(rule, shown, hints) for rule, hints in _IN_TAGS)
    return next(filter(None, map(_find_in_tag, _tags(text))), "") if suspect else ""


def _find_in_tag(found: str) -> str:
    if _HANDLER.search(_QUOTED.sub(" ", found)) or _RUNS.search(found):
        return "a script in a tag"
    if _ADDRESS.search(found):
        return OUTSIDE
    authored = _META_AUTHOR.search(found) and _CONTENT.findall(found)
    return PERSON if authored and any(map(_is_person, authored[0])) else ""


def _strip_own(text: str, address: str) -> str:
    """Take links to pages at a declared address out of a page."""
    if not address:
        return text
    own = rf'<a href="{re.escape(address)}/[a-z0-9_]+/[a-z0-9._-]+\.html">'
    return re.sub(own, "<a>", text)


def _tags(text: str) -> Iterator[str]:
    for found in dict.fromkeys(match[0] for match in TAG.finditer(text)):
        if not found.startswith(("<!", "<?")):
            yield html.unescape(found)


def _find_in_markup(part: Part) -> str:
    text = _first(part)
    if part.kind == "css":
        shown = (_STYLE_ADDRESS.search(t) for t in part.texts)
        return OUTSIDE if any(shown) else ""
    if _HIDDEN.search(text):
        return "a comment or something hidden"
    return MACHINE if _ELSEWHERE.search(html.unescape(text)) else ""


def _find_in_notebook(text: str) -> str:
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        data: dict[str, Any] = cell.get("metadata") or {}
        jupyter, tags = data.get("jupyter") or {}, set(data.get("tags") or ())
        if jupyter.get("source_hidden") or jupyter.get("outputs_hidden") or tags & _LEFT_OUT:
            return "a hidden cell"
        for output in cell.get("outputs") or ():
            if output.get("output_type") == "error":
                return MACHINE
            if output.get("name") == "stderr":
                return "warnings or errors of the run (stderr)"
    return ""


_LEFT_OUT = {"remove_cell", "remove-cell", "hide-cell", "hide_input", "hide-input", "remove_input",
             "remove-input", "hide-output", "remove-output"}  # fmt: skip
