"""What every process that renders needs, made ready by importing this: the fork server does.

Templates and words to look for are compiled, fonts are registered, and what is there by now is no longer
looked through for garbage, neither there nor in the processes that are forked from there.
"""

from __future__ import annotations

import gc

from evidence.brief import page
from evidence.brief.exporter import BriefExporter
from evidence.exhibits.fonts import LANGUAGES
from evidence.exhibits.style import style
from evidence.language.lists import compile_words

__all__ = ["page"]

_BETWEEN = 50_000
"""Objects between two looks for garbage: a drawing makes many, and keeps few."""

_exporter = BriefExporter()
_exporter.environment.get_template(_exporter.template_file)
for _language in LANGUAGES:
    compile_words(_language)
    style(_language)
gc.set_threshold(_BETWEEN)
gc.freeze()
