"""Which windows there are, and which of them stands where."""

TEST_SPLITS = ("musicnet", "work-disjoint")
"""`musicnet`: its own test recordings, each of which plays a work that training recordings play
too. `work-disjoint`: these, and every other recording of their works."""
