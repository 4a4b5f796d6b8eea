"""What every process that renders needs, made ready by importing this: the fork server does.

Words to look for are compiled, fonts are registered, and what is there by now is no longer
looked through for garbage, neither there nor in the processes that are forked from there.
"""

from __future__ import annotations

import gc

from evidence.brief import page
from evidence.exhibits.fonts import LANGUAGES
from evidence.exhibits.style import style
from evidence.language.lists import compile_words

__all__ = ["page"]

for _language in LANGUAGES:
    compile_words(_language)
    style(_language)
gc.freeze()
