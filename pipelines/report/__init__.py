"""A page about a dataset: its figures, and some of its windows to look at and listen to."""
