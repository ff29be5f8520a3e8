"""Public datasets, one module per source."""
