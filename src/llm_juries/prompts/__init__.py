"""Prompts: what a judge sees, and how its reply is parsed."""
