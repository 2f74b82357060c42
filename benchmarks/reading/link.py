"""Ours from an S3 server behind a slow line: each answer is late, and all share its rate."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from benchmarks.measure import Target, measure
from benchmarks.reading.rounds import say
from pipelines.text import aligned
from schemas import PRESETS
from tests.support.dataset_factory import make_dataset
from tests.support.link import Link
from tests.support.object_stores import running

DELAY_SECONDS = 0.05
BYTES_PER_SECOND = 20e6
"""moto, the server, answers about 27 MB/s of windows."""

BUDGETS = (32_000_000, 64_000_000, 256_000_000)
FRAMES = {"train": (4_300,) * 40, "validation": (430,), "test": (430,)}
"""400 windows of training."""


def run(folder: Path) -> list[Target]:
    config = dataclasses.replace(PRESETS["librosa"], features=("log_mel",))
    dataset = make_dataset(
        folder / "link-dataset", config=config, frames=FRAMES, formats=("tfrecord",), shards=4
    )
    rows = [["", "MB/s", "of the line's", "s to first"],
            ["", "", "rate", "batch"]]  # fmt: skip
    targets = []
    with running("s3") as store:
        url = store.put(dataset, "link-dataset")
        for budget in BUDGETS:
            say(f"log_mel from a store, {budget / 1e6:.0f} MB")
            store.proxy.link = Link(delay_seconds=DELAY_SECONDS, bytes_per_second=BYTES_PER_SECOND)
            measured = measure("benchmarks.reading.stored", url, budget)
            share = measured.result["bytes_per_second"] / BYTES_PER_SECOND
            rows.append([
                f"{budget / 1e6:.0f} MB of memory",
                f"{share * BYTES_PER_SECOND / 1e6:.1f}",
                f"{share:.2f}",
                f"{measured.result['first_batch_seconds']:.2f}",
            ])  # fmt: skip
            text = f"reading log_mel from a store with {budget / 1e6:.0f} MB, to the line's rate"
            targets.append(Target(text, share, 0.9))
    print(
        f"log_mel, batches of 16, from S3 with {DELAY_SECONDS * 1000:.0f} ms a request and "
        f"{BYTES_PER_SECOND / 1e6:.0f} MB/s"
    )
    print(aligned(rows))
    return targets
