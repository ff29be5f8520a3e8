"""One HTML file for a whole analysis."""
