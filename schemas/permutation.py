"""A keyed permutation of 0..N-1 that is computed index by index, so that it is never stored.

A balanced Feistel network over the smallest even number of bits that holds N, with cycle walking
back into the range (Black and Rogaway, 2002, "Ciphers with arbitrary finite domains"). Every value
costs a few integer operations, in both directions, whatever N is.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDS = 6


def permutation_key(*parts: str | int) -> bytes:
    """A key for `permute`, made from values that name its use.

    Args:
        parts: Texts and integers. Other parts, or another order, give another permutation.

    Returns:
        48 bytes, the same on every machine.

    Raises:
        TypeError: If a part is neither a text nor a number.

    Examples:
        >>> from schemas import permutation_key
        >>> permutation_key("epoch", "fingerprint", 3).hex()[:8]
        '09d2ee26'
    """
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=8 * _ROUNDS).digest()


def permute(indices: ArrayLike, size: int, key: bytes) -> NDArray[np.int64]:
    """The values of a permutation of 0..size-1 at some indices; the permutation is never stored.

    Args:
        indices: Integers of any shape, each in 0..size-1.
        size: How many numbers are permuted.
        key: The key that chooses the permutation, from `permutation_key`.

    Returns:
        The values, int64 of the shape of `indices`, each in 0..size-1.

    Raises:
        IndexError: If an index is outside the range.
        ValueError: If `permutation_key` did not make the key.

    Examples:
        >>> from schemas import permutation_key, permute
        >>> sorted(permute(range(5), 5, permutation_key("shuffle", 0)).tolist())
        [0, 1, 2, 3, 4]
    """
    return _walk(indices, size, _round_keys(key))


def invert(values: ArrayLike, size: int, key: bytes) -> NDArray[np.int64]:
    """The indices at which a permutation has some values: the inverse of `permute`.

    Args:
        values: Integers of any shape, each in 0..size-1.
        size: How many numbers are permuted.
        key: The key that chooses the permutation, from `permutation_key`.

    Returns:
        The indices, int64 of the shape of `values`, each in 0..size-1.

    Raises:
        IndexError: If a value is outside the range.
        ValueError: If `permutation_key` did not make the key.

    Examples:
        >>> from schemas import invert, permutation_key, permute
        >>> key = permutation_key("shuffle", 0)
        >>> invert(permute([0, 3, 4], 5, key), 5, key).tolist()
        [0, 3, 4]
    """
    return _walk(values, size, _round_keys(key)[::-1])


def _round_keys(key: bytes) -> list[np.uint64]:
    if len(key) != 8 * _ROUNDS:
        raise ValueError(f"a key has {8 * _ROUNDS} bytes, not {len(key)}: use permutation_key()")
    return list(np.frombuffer(key, "<u8"))


def _walk(values: ArrayLike, size: int, round_keys: list[np.uint64]) -> NDArray[np.int64]:
    start = np.asarray(values, np.int64)
    if start.size and not (start.min() >= 0 and start.max() < size):
        raise IndexError(f"indices must be in 0..{size - 1}, got {start.min()}..{start.max()}")
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    flat = _feistel(start.ravel().astype(np.uint64), half_bits, round_keys)
    outside = np.flatnonzero(flat >= np.uint64(size))
    while outside.size:
        flat[outside] = _feistel(flat[outside], half_bits, round_keys)
        outside = outside[flat[outside] >= np.uint64(size)]
    return flat.astype(np.int64).reshape(start.shape)


def _feistel(
    values: NDArray[np.uint64], half_bits: int, round_keys: list[np.uint64]
) -> NDArray[np.uint64]:
    """One pass; the halves are swapped at the end, so that reversed keys undo it."""
    shift, mask = np.uint64(half_bits), np.uint64((1 << half_bits) - 1)
    left, right = values >> shift, values & mask
    for key in round_keys:
        left, right = right, left ^ (splitmix64(right ^ key) & mask)
    return (right << shift) | left


def splitmix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
