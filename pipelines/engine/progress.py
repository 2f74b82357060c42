"""Progress of a run, from the shards that have appeared: the same way for every engine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator

from musicnet_duet.progress import ProgressDisplay
from pipelines.errors import PipelineError
from pipelines.run_state import read_claim
from schemas import DatasetError, Storage, StoreError
from schemas.shards import SPLITS, index_file, shard_bounds, shard_file

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_REQUESTS = 5.0


@contextlib.contextmanager
def shard_progress(build_root: str) -> Iterator[None]:
    """Shows, on standard error, how many windows are in finished shards until the block ends."""
    storage = Storage(build_root)
    stop = threading.Event()
    pause = _SECONDS_BETWEEN_LOOKS if storage.is_local else _SECONDS_BETWEEN_REQUESTS
    progress = ProgressDisplay("listing recordings", unit="windows")

    def watch() -> None:
        waiting: dict[str, int] | None = None
        while True:
            ended = stop.wait(pause)
            # The run itself will say what is wrong.
            with contextlib.suppress(DatasetError, PipelineError, StoreError):
                if waiting is None:
                    waiting = expected_windows(storage)
                    if waiting is not None:
                        progress.begin("writing shards", sum(waiting.values()))
                for name in finished_shards(storage, waiting or ()):
                    progress.update((waiting or {}).pop(name))
            if ended:
                return
            progress.refresh()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        progress.close()


def finished_shards(storage: Storage, names: Collection[str]) -> list[str]:
    """Those of some shards that are finished."""
    splits = {name.partition("/")[0] for name in names}
    there = {name for split in splits for name in storage.list_folder(split)[0]}
    return [name for name in names if index_file(name) in there]


def expected_windows(storage: Storage) -> dict[str, int] | None:
    """The windows of each shard that the run will write, by name; None before there is a plan."""
    claim = read_claim(storage)
    if claim is None:
        return None
    file_format = claim["formats"][-1]
    expected = {}
    for split in SPLITS:
        shards, windows = claim["shards"][split], claim["windows"][split]
        for number in range(shards):
            first, stop = shard_bounds(number, shards, windows)
            expected[shard_file(split, number, shards, file_format)] = stop - first
    return expected
