"""Office files: what they say of themselves, and packing them the same each time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from xml.sax.saxutils import escape

from evidence.brief.plain import plain

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TAGS = {"en": "en-GB", "ja": "ja-JP", "vi": "vi-VN", "km": "km-KH", "bn": "bn-BD"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16
_UNIX = 3
_CORE = "http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
_APP = "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"


def tag_of(language: str) -> str:
    """Name a language as office programs do: with its country."""
    return _TAGS[language]


def pack_again(payload: bytes, title: str, language: str, date: str, **parts: str) -> bytes:
    """Pack an office file again: fixed times, and its own title, language and day.

    No person is named: ``dc:creator`` is empty. A draft has no day.

    Parameters
    ----------
    date : str
        Day of the edition, in ISO form; empty for a draft.
    parts : str
        Further parts by name of the file, with two underscores for the slash and one for
        the dot: ``word__fontTable_xml``.
    """
    own = {name.replace("__", "/").replace("_", "."): text for name, text in parts.items()}
    own |= {"docProps/core.xml": _describe(title, language, date), "docProps/app.xml": _program()}
    return _pack(payload, {name: text.encode("utf-8") for name, text in own.items()})


def _describe(title: str, language: str, date: str) -> str:
    days = "".join(
        f'<dcterms:{name} xsi:type="dcterms:W3CDTF">{date}T00:00:00Z</dcterms:{name}>'
        for name in ("created", "modified")
        if date
    )
    return (
        f'{XML}<cp:coreProperties xmlns:cp="{_CORE}" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:dcterms="http://purl.org/dc/terms/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(plain(title))}</dc:title><dc:creator></dc:creator>"
        f"<dc:language>{tag_of(language)}</dc:language>{days}</cp:coreProperties>"
    )


def _program() -> str:
    return f'{XML}<Properties xmlns="{_APP}"><Application>evidence</Application></Properties>'


def _pack(payload: bytes, parts: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(payload)) as packed,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as again,
    ):
        for name in packed.namelist():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, _UNIX
            entry.external_attr = _MODE
            again.writestr(entry, parts.get(name) or packed.read(name))
    return buffer.getvalue()
