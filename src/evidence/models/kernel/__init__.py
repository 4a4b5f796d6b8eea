"""Least squares with absorbed effects: from memory, from files, of clusters, in curves."""
