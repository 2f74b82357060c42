from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas import PRESETS, Dataset
from tests.support.dataset_factory import make_dataset
from tests.support.reading import FEATURES, assert_batches
from training import TrainingError, open_dataset
from training.config import LoopConfig, TrainingConfig
from training.reading.opening import COPIES_HELD, open_splits

OPTIONS: Any = [
    {},
    {"features": FEATURES},
    {"features": FEATURES, "crop_frames": 5, "crops_per_window": 2},
    {"features": ("notes",), "order": "contiguous", "crop_frames": 4},
]


def least(message: str) -> int:
    """The bytes that a rejection says would be enough."""
    return int(message.split("this needs ")[1].split(" bytes")[0].replace(",", ""))


@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("options", OPTIONS)
def test_suggested_budget_is_the_smallest_that_will_do(
    root: Path, batch_size: int, options: dict[str, Any]
) -> None:
    with pytest.raises(TrainingError, match="too small: this needs") as raised:
        open_dataset(root, batch_size=batch_size, memory_bytes=1_000, **options)
    needed = least(str(raised.value))
    reader = open_dataset(root, batch_size=batch_size, memory_bytes=needed, **options)
    assert reader.memory_plan().total == needed
    expected = open_dataset(root, batch_size=batch_size, **options)
    assert_batches(list(reader.epoch(0)), list(expected.epoch(0)))
    with pytest.raises(TrainingError, match="too small"):
        open_dataset(root, batch_size=batch_size, memory_bytes=needed - 1, **options)


def test_the_megabytes_of_the_message_are_enough(root: Path) -> None:
    options: Any = {"batch_size": 3_000, "crop_frames": 5, "crops_per_window": 500}
    with pytest.raises(TrainingError, match="give at least") as raised:
        open_dataset(root, **options, memory_bytes=1_000)
    megabytes = int(str(raised.value).split("give at least ")[1].split(" MB")[0])
    assert 2 < megabytes < 50
    open_dataset(root, **options, memory_bytes=megabytes * 10**6)
    with pytest.raises(TrainingError, match="too small"):
        open_dataset(root, **options, memory_bytes=(megabytes - 1) * 10**6)


def test_a_batch_is_no_larger_than_its_split(root: Path) -> None:
    whole, larger = (open_dataset(root, batch_size=each) for each in (16, 10**6))
    assert larger.memory_plan() == whole.memory_plan()
    assert_batches(list(larger.epoch(1)), list(whole.epoch(1)))


@pytest.mark.parametrize("options", OPTIONS)
def test_plan_covers_what_is_held(root: Path, options: dict[str, Any]) -> None:
    reader = open_dataset(root, batch_size=16, **options)
    plan, index = reader.memory_plan(), reader._index
    columns: list[np.ndarray] = [index.recordings, index.first_frames, index.valid_frames]
    columns += [*index.offsets.values(), *index.checksums.values()]
    assert sum(column.nbytes for column in columns) <= plan.index
    held = 3 + reader._concurrency.batches
    batch = next(iter(reader))
    assert held * sum(values.nbytes for values in batch.values()) <= plan.batches
    assert not plan.copies


def test_splits_leave_room_for_what_a_model_is_trained_on(root: Path) -> None:
    (reader,) = open_splits(
        Dataset(root), ["train"], batch_size=4, memory_bytes=10**7, features=FEATURES
    )
    batch = next(iter(reader))
    copied = sum(4 * batch[name].size for name in FEATURES)
    assert reader.memory_plan().copies == copied * COPIES_HELD


def test_more_memory_lets_it_do_more_at_once(root: Path) -> None:
    with pytest.raises(TrainingError, match="too small") as raised:
        open_dataset(root, crop_frames=4, memory_bytes=1)
    fewest = least(str(raised.value))
    reader = open_dataset(root, crop_frames=4, memory_bytes=10**9)
    assert fewest < reader.memory_plan().total <= 10**9


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_default_budget_is_enough_for_every_preset(preset: str, tmp_path: Path) -> None:
    config = dataclasses.replace(PRESETS[preset], features=("log_mel",))
    frames = {"train": (1_000, 900), "validation": (900,), "test": (900,)}
    root = make_dataset(tmp_path, config=config, frames=frames, formats=("tfrecord",))
    assert len(open_dataset(root)) > 1
    batch_size, memory_bytes = TrainingConfig().batch_size, LoopConfig().memory_bytes
    splits = ("train", "validation")
    open_splits(Dataset(root), splits, batch_size=batch_size, memory_bytes=memory_bytes)


def test_splits_share_a_budget(root: Path) -> None:
    splits = ("train", "test")

    def needed(*, memory_bytes: int) -> int:
        readers = open_splits(Dataset(root), splits, batch_size=4, memory_bytes=memory_bytes)
        return sum(reader.memory_plan().total for reader in readers)

    with pytest.raises(TrainingError, match="too small") as raised:
        needed(memory_bytes=1)
    fewest = least(str(raised.value))
    assert needed(memory_bytes=fewest) == fewest
    assert fewest < needed(memory_bytes=10**8) <= 10**8
    with pytest.raises(TrainingError, match="too small"):
        needed(memory_bytes=fewest - 1)
