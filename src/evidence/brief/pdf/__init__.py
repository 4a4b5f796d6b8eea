"""The brief as a PDF that a screen reader reads and an archive keeps."""

from __future__ import annotations

from evidence.brief.pdf.typesetting import typeset, typeset_slides

__all__ = ["typeset", "typeset_slides"]
