"""Simulated sources: what their records declare, and how it is drawn."""
