"""Checking every byte of a dataset, and saying which windows a damage affects."""
