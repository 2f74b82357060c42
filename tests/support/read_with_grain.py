"""Run as a process where Grain is installed: what Grain makes of a reader, as a file of arrays."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grain
import numpy as np

from training import Reader, open_dataset

SIZE = 4
WORKERS = grain.MultiprocessingOptions(num_workers=2)


def source(reader: Reader) -> Any:
    return grain.MapDataset.source(reader)


def shuffled(reader: Reader) -> Any:
    return source(reader).shuffle(seed=0).batch(SIZE)


def sound(reader: Reader) -> Any:
    windows = grain.MapDataset.range(len(reader)).shuffle(seed=0).map(reader.get)
    return windows.to_iter_dataset().batch(SIZE)


def in_processes(reader: Reader) -> Any:
    return shuffled(reader).to_iter_dataset().mp_prefetch(WORKERS)


def sound_in_processes(reader: Reader) -> Any:
    return sound(reader).mp_prefetch(WORKERS)


def resumed(dataset: Any, done: int) -> list[Any]:
    """All that an iterator delivers, when another one goes on after `done` from its state."""
    with contextlib.closing(iter(dataset)) as first, contextlib.closing(iter(dataset)) as second:
        begun = [next(first) for _ in range(done)]
        second.set_state(first.get_state())
        return [*begun, *second]


def deliveries(reader: Reader) -> Iterator[tuple[str, list[Any]]]:
    """What each way of reading delivers, as batches."""
    if all(reader.get(position) for position in range(len(reader))):
        yield "items", [source(reader)[0:SIZE].batch(SIZE)[0], source(reader).batch(SIZE)[1]]
        yield "threads", list(source(reader).batch(SIZE))
        yield "shuffled", resumed(shuffled(reader).to_iter_dataset(), 0)
        yield "shuffled resumed", resumed(shuffled(reader).to_iter_dataset(), 2)
        yield "processes", resumed(in_processes(reader), 0)
        yield "processes resumed", resumed(in_processes(reader), 1)
    yield "sound", resumed(sound(reader), 0)
    yield "sound resumed", resumed(sound(reader), 2)
    yield "sound processes", resumed(sound_in_processes(reader), 0)


def main(root: str, out: str) -> None:
    reader = open_dataset(root, features=("log_mel",))
    for way, batches in deliveries(reader):
        names = ("recording_id", "first_frame", "valid_frames", "log_mel", "weights")
        arrays: dict[str, Any] = {
            name: np.concatenate([batch[name] for batch in batches]) for name in names
        }
        sizes = [len(batch["log_mel"]) for batch in batches]
        np.savez(Path(out) / way, sizes=sizes, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
