"""Sweeps on clusters: the grid, its jobs, their coverage and status."""
