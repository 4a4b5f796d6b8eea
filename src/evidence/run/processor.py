"""Say on which processor, with which linear algebra, numbers were computed."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np

_CPUINFO = Path("/proc/cpuinfo")


def describe_processor() -> dict[str, str]:
    """Describe what may change the last digits of a number: processor, instructions, BLAS.

    Returns
    -------
    dict
        ``machine, model, instructions, blas``; no name of a host.
    """
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    found = built.get("SIMD Extensions", {}).get("found", [])
    return {
        "machine": platform.machine(),
        "model": _name_model(),
        "instructions": " ".join(found),
        "blas": f"{blas.get('name', '')} {blas.get('version', '')}".strip(),
    }


def _name_model() -> str:
    """Name the processor's model where the system tells it."""
    if not _CPUINFO.is_file():
        return platform.processor()
    lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()
