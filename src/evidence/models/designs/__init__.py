"""Estimators for designs other than least squares with absorbed effects, a file each."""
