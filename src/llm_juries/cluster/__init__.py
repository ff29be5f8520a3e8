"""Sweeps on clusters: the grid, its jobs, and how far they are."""
