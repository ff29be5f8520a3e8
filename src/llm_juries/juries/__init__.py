"""Juries: votes, panels, and the rules that pool them."""
