"""Ours, arrays, from an object store: `python -m benchmarks.reading.stored URL MEMORY_BYTES`."""

from __future__ import annotations

import json
import sys
import time

from benchmarks.reading.timing import BATCH
from training import open_dataset

BATCHES_BEFORE = 10
"""After these, as much is read ahead as at the end: what is delivered is what is read."""

SECONDS = 5.0


def main(url: str, memory_bytes: str) -> None:
    opened = time.monotonic()
    batches = iter(open_dataset(url, batch_size=BATCH, memory_bytes=int(memory_bytes)))
    nbytes = next(batches)["log_mel"][0].nbytes
    first_batch_seconds = time.monotonic() - opened
    for _ in range(BATCHES_BEFORE):
        next(batches)
    started, windows, taken = time.monotonic(), 0, 0.0
    while taken < SECONDS:
        windows += len(next(batches)["valid_frames"])
        taken = time.monotonic() - started
    figures = {
        "bytes_per_second": windows * nbytes / taken,
        "first_batch_seconds": first_batch_seconds,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
