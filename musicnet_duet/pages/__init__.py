"""Pages in HTML that need nothing else: no network, and no other file."""
