"""What a forked child does to be a kernel as if it had just been started."""

from __future__ import annotations

import atexit
import importlib
import os
import random
import sys
import time
from typing import Any

import numpy as np

SEED = 0


def become_kernel(request: dict[str, Any]) -> None:
    """Become the kernel that was asked for; end this process with it.

    Parameters
    ----------
    request : dict
        ``arguments`` of ``ipykernel_launcher``, ``environment``, ``folder`` to work in,
        ``descriptors`` of standard output and error.
    """
    os.setsid()
    for number, descriptor in enumerate(request["descriptors"], start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    random.seed(SEED)
    np.random.seed(SEED)
    _run(request["arguments"])


def _run(arguments: list[str]) -> None:
    application = importlib.import_module("ipykernel.kernelapp").IPKernelApp
    sys.argv = ["ipykernel_launcher", *arguments]
    status = 1
    try:
        kernel = application.instance(parent_handle=1)
        kernel.initialize(arguments)
        importlib.import_module("matplotlib").rcParams["backend"] = os.environ["MPLBACKEND"]
        kernel.start()
        status = 0
    finally:
        # Taking a large process apart piece by piece takes longer than a small notebook.
        atexit._run_exitfuncs()
        os._exit(status)
