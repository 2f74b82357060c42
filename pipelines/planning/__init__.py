"""Which windows there are, and which shard holds each of them."""

WORK_DISJOINT = "work-disjoint"
TEST_SPLITS = ("musicnet", WORK_DISJOINT)
"""`musicnet`: its own test recordings, each of which plays a work that training recordings play
too. `work-disjoint`: these, and every other recording of their works."""

FOLDERS = "folders"
WORKS = ("metadata", FOLDERS)
"""What tells the works of recordings apart, which splits do not divide: the metadata, or the
folders in which they lie, such as albums."""
