"""The gate: only what is ``Cleared`` may be published."""

from evidence.disclosure.gate import Cleared, clear, fingerprint
from evidence.disclosure.scan import scan_bytes

__all__ = ["Cleared", "clear", "fingerprint", "scan_bytes"]
