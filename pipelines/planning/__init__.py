"""Which windows there are, and which of them stands where."""
