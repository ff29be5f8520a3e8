"""Candidate answers: models answer a dataset's questions, from memory or from passages."""
