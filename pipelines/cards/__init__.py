"""Files that describe a dataset to the tools of others, each a pure function of what it holds."""
