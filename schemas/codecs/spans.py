"""Reading the spans of a file in which windows lie, and checking what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from schemas.checksums import crc32c
from schemas.codecs.base import Row, Stream
from schemas.features import FeatureSpec
from schemas.windows import as_array

_BLOCK_BYTES = 1 << 21


class DamageError(Exception):
    """Some bytes are not those that were written; the message says which."""


def read_spans(stream: Stream, spans: Sequence[tuple[int, int]]) -> Iterator[memoryview]:
    """The bytes of each span, a start and a length, in the order of the file; fewer at its end.

    Adjoining spans are read together, about two MiB at a time.
    """
    number = 0
    while number < len(spans):
        start, nbytes = spans[number]
        stop = number + 1
        while stop < len(spans) and spans[stop][0] == start + nbytes and nbytes < _BLOCK_BYTES:
            nbytes += spans[stop][1]
            stop += 1
        stream.read_up_to(start)
        block = memoryview(stream.read(nbytes))
        for offset, length in spans[number:stop]:
            yield block[offset - start :][:length]
        number = stop


def read_payload(data: memoryview, at: int, row: Row, spec: FeatureSpec) -> NDArray[Any]:
    """The feature of a row that begins at byte `at` of `data`: a read-only view of it.

    Raises `DamageError` where its bytes are missing, or differ from its index in length or crc32c.
    """
    payload = data[max(0, at) :][: spec.nbytes]
    if len(payload) < spec.nbytes:
        raise DamageError(f"its {spec.name} was cut short")
    if row[f"{spec.name}_length"] != spec.nbytes:
        raise DamageError(f"its {spec.name} has another length by its index")
    if crc32c(payload) != row[f"{spec.name}_crc32c"]:
        raise DamageError(f"its {spec.name} fails its checksum")
    return as_array(payload, spec)
