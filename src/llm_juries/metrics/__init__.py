"""Measures on arrays of labels. They know numbers, not judges."""
