"""Judges on GPUs through vLLM, in process or as a server."""
