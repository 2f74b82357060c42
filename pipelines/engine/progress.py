"""Progress of a run, from the shards that have appeared: the same way for every engine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from musicnet_duet.progress import ProgressDisplay
from pipelines.engine.local import LocalRun
from pipelines.errors import PipelineError
from pipelines.run_state import read_claim
from schemas import DatasetError, Storage, StoreError
from schemas.shards import SPLITS, index_file, shard_bounds, shard_file

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_REQUESTS = 5.0

ShardFiles = tuple[str, ...]
"""The names of a shard's files, one in each format."""


@contextlib.contextmanager
def run_progress(build_root: str, local: LocalRun | None = None) -> Iterator[None]:
    """Shows, on standard error, how many windows are in finished shards until the block ends.

    Of a local run, it shows first how many recordings were inspected, which reads all of them.
    """
    storage = Storage(build_root)
    stop = threading.Event()
    pause = _SECONDS_BETWEEN_LOOKS if storage.is_local else _SECONDS_BETWEEN_REQUESTS
    earlier = _finished_before(storage)
    progress = ProgressDisplay("listing recordings", unit="recordings")

    def watch() -> None:
        waiting: dict[ShardFiles, int] | None = None
        recordings = None
        while True:
            ended = stop.wait(pause)
            if local and recordings is None and (recordings := local.listed):
                progress.begin("inspecting", recordings, unit="recordings")
            if local and recordings is not None and waiting is None:
                progress.update(local.inspected - progress.done)
            # The run itself will say what is wrong.
            with contextlib.suppress(DatasetError, PipelineError, StoreError):
                all_inspected = recordings is not None and progress.done >= recordings
                if waiting is None and (local is None or all_inspected):
                    waiting = expected_windows(storage)
                    if waiting is not None:
                        total = sum(waiting.values())
                        done = sum(waiting.pop(files, 0) for files in earlier)
                        progress.begin("writing shards", total, unit="windows", done=done)
                for files in finished_shards(storage, waiting or ()):
                    progress.update((waiting or {}).pop(files))
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


def finished_shards(storage: Storage, shards: Collection[ShardFiles]) -> list[ShardFiles]:
    """Those of some shards that are finished in every format."""
    splits = {name.partition("/")[0] for files in shards for name in files}
    there = {name for split in splits for name in storage.list_folder(split)[0]}
    return [files for files in shards if there.issuperset(map(index_file, files))]


def expected_windows(storage: Storage) -> dict[ShardFiles, int] | None:
    """The windows of each shard that the run will write; None before there is a plan."""
    claim = read_claim(storage)
    try:
        return None if claim is None else _windows_by_shard(claim)
    except (KeyError, TypeError):  # It was edited, or is another version's.
        return None


def _windows_by_shard(claim: Mapping[str, Any]) -> dict[ShardFiles, int]:
    expected = {}
    for split in SPLITS:
        shards, windows = claim["shards"][split], claim["windows"][split]
        for number in range(shards):
            first, stop = shard_bounds(number, shards, windows)
            files = tuple(shard_file(split, number, shards, each) for each in claim["formats"])
            expected[files] = stop - first
    return expected


def _finished_before(storage: Storage) -> list[ShardFiles]:
    """The shards that an earlier run finished."""
    with contextlib.suppress(DatasetError, PipelineError, StoreError):
        return finished_shards(storage, expected_windows(storage) or ())
    return []
