"""Datasets: items to judge, their human labels, and recorded verdicts."""
