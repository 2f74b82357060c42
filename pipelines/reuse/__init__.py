"""Windows of a dataset that was made before, for recordings that did not change since."""
