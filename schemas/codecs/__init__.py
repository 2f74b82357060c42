"""The file formats of shards."""
