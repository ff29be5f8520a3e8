"""Judges behind HTTP APIs: one module a wire format."""
