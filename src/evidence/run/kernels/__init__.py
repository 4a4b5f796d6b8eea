"""Kernels forked from a process that has imported the stack already.

``warm`` is that process, ``forked`` what becomes of its children, ``client`` asks it for a
kernel, ``processes`` knows which processes belong to a kernel, ``provisioner`` and
``engine`` are the doors for jupyter_client and papermill, ``hooks`` what a kernel is told
before its first cell, ``verdict`` how its run is judged.
"""
