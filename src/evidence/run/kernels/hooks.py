"""What a Python kernel is told before its first cell.

The text of this file is run in the kernel, which may be of another environment: it stands
by itself. Shell commands that fail raise, and warnings are told to whoever runs the notebook.
"""

from __future__ import annotations

import warnings
from typing import Any

WARNING_TYPE = "application/vnd.evidence.warning+json"


def watch(shell: Any) -> None:
    """Let failing shell commands raise, and publish each warning that is shown."""
    shell.system_raise_on_error = True
    show = warnings.showwarning

    def tell(message: Any, category: type[Warning], *rest: Any, **named: Any) -> None:
        kinds = [kind.__name__ for kind in category.__mro__ if issubclass(kind, Warning)]
        told = {"kinds": kinds, "message": str(message)}
        shell.display_pub.publish(data={WARNING_TYPE: told})
        show(message, category, *rest, **named)

    warnings.showwarning = tell
