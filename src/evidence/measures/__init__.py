"""Raw answers and records become measures: compliance, dialogue, productivity, spells."""

from __future__ import annotations

from evidence.measures.compliance import (
    Outcome,
    name_outcome,
    rate_compliance,
    score_compliance,
    trace_findings,
)
from evidence.measures.crosswalk import Answers, map_answers
from evidence.measures.derive import strip_transforms
from evidence.measures.dialogue import score_index, score_pair
from evidence.measures.events import list_events, list_frames
from evidence.measures.peers import compare_peers, flag_peers, match_peers
from evidence.measures.productivity import chain_growth, score_productivity, score_ratio
from evidence.measures.remediation import RemedyRate, follow_remedies, list_spells, name_remedy_rate
from evidence.measures.score import Measures, score_measures

__all__ = [
    "Answers",
    "Measures",
    "Outcome",
    "RemedyRate",
    "chain_growth",
    "compare_peers",
    "flag_peers",
    "follow_remedies",
    "list_events",
    "list_frames",
    "list_spells",
    "map_answers",
    "match_peers",
    "name_outcome",
    "name_remedy_rate",
    "rate_compliance",
    "score_compliance",
    "score_index",
    "score_measures",
    "score_pair",
    "score_productivity",
    "score_ratio",
    "strip_transforms",
    "trace_findings",
]
