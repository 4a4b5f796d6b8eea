"""Jobs on a Dask cluster whose workers share one folder with this machine, and nothing else.

``share`` is that folder: files by their hash. ``send`` hands out jobs and takes back what they
leave, ``work`` is what a worker does with one.
"""
