"""Collecting verdicts: run judges, within rate limits and a budget, live or in batches."""
