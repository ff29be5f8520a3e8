"""The verdict store: append-only segments, Parquet snapshots, and what a run still needs."""
