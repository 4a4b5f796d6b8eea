"""Factory scorecards: an enterprise's own values beside its peers', for it alone."""

from __future__ import annotations

from evidence.scorecards.report import list_factories, write_scorecards

__all__ = ["list_factories", "write_scorecards"]
