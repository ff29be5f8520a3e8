"""Judges: what can be asked for a verdict. One module a backend, one yaml in conf/judge a judge."""
