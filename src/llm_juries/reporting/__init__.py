"""Results as files: tables, figures, summaries, the page, and experiment tracking."""
