"""From a plan to shards, and from shards to a published dataset."""
