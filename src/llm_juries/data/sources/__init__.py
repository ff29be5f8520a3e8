"""Public datasets, one module a source."""
