"""Batches from the shards of a dataset, in an order and in memory known beforehand.

The order is a keyed permutation of the split's windows: a pure function of the dataset's
fingerprint, the split, the seed and the number of the epoch. No buffer is shuffled, the file format
does not matter, and two integers are enough to resume at any batch.
"""
