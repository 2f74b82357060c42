"""Checksums: crc32c for pieces of a file, sha256 for whole files and for JSON."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import crc32c as castagnoli
from numpy.typing import NDArray

_CHUNK_BYTES = 1 << 20


def crc32c(data: bytes | memoryview | NDArray[Any], crc: int = 0) -> int:
    """CRC-32C (RFC 3720, appendix B.4) of the bytes of `data`, continued from `crc`.

    An array must be in C order. From 32 KiB on, other threads run meanwhile.
    """
    return castagnoli.crc32c(data, crc)  # type: ignore[arg-type] # Arrays are buffers.


def sha256(data: bytes) -> str:
    """The digest of `data` in lowercase hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(file: Any) -> str:
    """The digest of a binary file from its position to its end, read one MiB at a time."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def canonical_json(value: Any) -> bytes:
    """JSON of one spelling: sorted keys, no spaces, ASCII. Raises `ValueError` for NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()
