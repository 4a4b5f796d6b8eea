"""A brief as a Word document: pandoc writes it, python-docx finishes it.

Both come with the extra ``docx``. Without them a build goes on without Word documents;
who builds asks ``can_write_word`` and says so.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.brief.word.tree import lay_out
from evidence.errors import BriefError

__all__ = ["can_write_word", "write_word"]

_NEEDED = ("pypandoc", "docx")


def can_write_word() -> bool:
    """Tell whether pandoc and python-docx are here."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


def write_word(model: Mapping[str, Any], pictures: Mapping[str, bytes]) -> bytes:
    """Write a brief as a Word document (A4); equal inputs give equal bytes.

    Parameters
    ----------
    model : mapping
        What ``compose`` and ``word_imprint`` give, together.
    pictures : mapping of str to bytes
        PNG by the name of its figure.

    Raises
    ------
    BriefError
        Where pandoc or python-docx is not installed, or pandoc warns or fails.
    """
    if not can_write_word():
        raise BriefError(
            "Word document",
            seen="no pandoc, or no python-docx",
            expected="the extra 'docx'",
            do="Install it: pip install 'evidence[docx]'. The other formats need neither.",
        )
    from evidence.brief.word.finish import finish

    return finish(_convert(json.dumps(lay_out(model, pictures))), model)


def _convert(tree: str) -> bytes:
    """Let pandoc write a document; it reads and asks for nothing but the tree."""
    import pypandoc

    options = ["--sandbox", "--fail-if-warnings"]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "brief.docx"
        try:
            pypandoc.convert_text(
                tree, "docx", format="json", outputfile=str(made), extra_args=options
            )
            return made.read_bytes()
        except (OSError, RuntimeError) as error:
            raise BriefError(
                "Word document",
                seen=f"pandoc says: {str(error).strip()[:200]}",
                expected="a document without a warning",
                do="Look at the figures; or take the extra 'docx' out and build without Word.",
            ) from error
