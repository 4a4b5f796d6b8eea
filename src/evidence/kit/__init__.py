"""Replication kits, and the proof that a study's published files can be made again."""

from __future__ import annotations

from evidence.kit.pack import Kit, write_kit
from evidence.kit.verify import TOLERANCE, Proof, list_lines, verify_study

__all__ = ["TOLERANCE", "Kit", "Proof", "list_lines", "verify_study", "write_kit"]
