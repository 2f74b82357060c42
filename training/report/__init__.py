"""A page about a run: its curve, its settings, and what its model plays beside real music."""
