from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas import Dataset, DatasetError
from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset
from tests.support.oddities import ODDITIES, assert_one_short_line, name_of_oddity
from tests.support.reading import assert_batches, take
from training import TrainingError, open_dataset
from training.reading.options import ReadOptions

ONCE_EACH = "holds log_mel, waveform, notes, onsets; name some of these, once each"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "rest"}, "has no split 'rest', only train, validation, test"),
        ({"features": ("chords",)}, ONCE_EACH),
        ({"features": "chords"}, ONCE_EACH),
        ({"features": ()}, ONCE_EACH),
        ({"features": ""}, ONCE_EACH),
        ({"features": None}, ONCE_EACH),
        ({"features": 3}, ONCE_EACH),
        ({"features": [["notes"]]}, ONCE_EACH),
        ({"features": ("notes", "notes")}, ONCE_EACH),
        ({"batch_size": 0}, "batch_size=0 must be an integer from 1 to"),
        ({"batch_size": 2**31 + 1}, "batch_size=2147483649 must be an integer from 1 to"),
        ({"batch_size": 2.0}, "batch_size=2.0 must be an integer from 1 to"),
        ({"batch_size": True}, "batch_size=True must be an integer from 1 to"),
        ({"seed": -1}, "seed=-1 must be an integer from 0 to"),
        ({"seed": 2**63}, "seed=9223372036854775808 must be an integer from 0 to"),
        ({"seed": None}, "seed=None must be an integer from 0 to"),
        ({"memory_bytes": float("nan")}, "memory_bytes=nan must be an integer from 1 to"),
        ({"memory_bytes": 0}, "memory_bytes=0 must be an integer from 1 to"),
        ({"file_format": "csv"}, "holds tfrecord and hdf5, not 'csv'"),
        ({"order": "random"}, "order='random' must be one of shuffled, contiguous"),
        ({"order": None}, "order=None must be one of shuffled, contiguous"),
        ({"crop_frames": 0}, "crop_frames=0 must be an integer from 1 to 12"),
        ({"crop_frames": 13}, "crop_frames=13 must be an integer from 1 to 12"),
        ({"crop_frames": 2.5}, "crop_frames=2.5 must be an integer from 1 to 12"),
        ({"crop_frames": 4, "crops_per_window": 0}, "crops_per_window=0 must be an integer"),
        ({"crop_frames": 4, "crops_per_window": "2"}, "crops_per_window='2' must be an integer"),
        ({"crops_per_window": 2}, "crops_per_window=2 needs crop_frames, fewer than the window's"),
        (
            {"crop_frames": 12, "crops_per_window": 2},
            "crops_per_window=2 needs crop_frames, fewer than the window's 12 frames",
        ),
        (
            {"order": "contiguous", "crop_frames": 5},
            "crop_frames=5 must divide the window's 12 frames where order='contiguous': "
            "1, 2, 3, 4, 6, 12",
        ),
        (
            {"order": "contiguous", "crop_frames": 4, "crops_per_window": 2},
            "with order='contiguous' and crop_frames=4 a window has 3 crops; leave",
        ),
        (
            {"order": "contiguous", "crops_per_window": 2},
            "with order='contiguous' and crop_frames=12 a window has 1 crop; leave",
        ),
    ],
)
def test_wrong_options_are_rejected(root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises((TrainingError, DatasetError)) as raised:
        open_dataset(root, **options)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


ARGUMENTS = [
    "path", "split", "features", "file_format", "batch_size", "memory_bytes", "seed", "order",
    "crop_frames", "crops_per_window",
]  # fmt: skip


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("value", ODDITIES, ids=name_of_oddity)
def test_anything_else_is_rejected_on_one_short_line(
    root: Path, argument: str, value: object
) -> None:
    arguments: Any = {"path": root, "crop_frames": 4, argument: value}
    with pytest.raises((TrainingError, DatasetError)) as raised:
        open_dataset(**arguments)
    assert_one_short_line(raised.value)
    if argument not in ("path", "memory_bytes"):
        del arguments["path"]
        with pytest.raises(TrainingError) as raised:
            ReadOptions.of(Dataset(root), **arguments)
        assert_one_short_line(raised.value)


@pytest.mark.parametrize("path", ["a\0b", b"a\0b", "\ud800", None, 3, Path])
def test_what_is_no_path_is_rejected(path: Any) -> None:
    with pytest.raises(TrainingError, match=r"^path=.* is not a path: give a text, bytes or a"):
        open_dataset(path)


def test_texts_of_numpy_are_texts(root: Path) -> None:
    features: Any = np.array(["notes", "log_mel"])
    options = ReadOptions.of(
        Dataset(root),
        split=np.str_("test"),
        features=features,
        file_format=np.str_("hdf5"),
        order=np.str_("contiguous"),
    )
    texts = (options.split, *options.features, options.file_format, options.order)
    assert texts == ("test", "notes", "log_mel", "hdf5", "contiguous")
    assert {type(text) for text in texts} == {str}


@pytest.mark.parametrize("stride_frames", [1, 6, 11])
def test_overlapping_windows_have_no_contiguous_order(tmp_path: Path, stride_frames: int) -> None:
    config = dataclasses.replace(ALL_FEATURES, stride_frames=stride_frames)
    make_dataset(tmp_path, config=config, frames=FEW_FRAMES, formats=("tfrecord",))
    message = rf"windows of 12 frames overlap at a stride of {stride_frames}; make a dataset with"
    with pytest.raises(TrainingError, match=message):
        open_dataset(tmp_path, order="contiguous")
    assert next(iter(open_dataset(tmp_path)))


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8])
def test_options_are_plain_numbers(root: Path, kind: type) -> None:
    options = ReadOptions.of(
        Dataset(root),
        batch_size=kind(4),
        seed=kind(3),
        crop_frames=kind(5),
        crops_per_window=kind(2),
    )
    for number in (
        options.batch_size,
        options.seed,
        options.crop_frames,
        options.crops_per_window,
    ):
        assert type(number) is int
    assert (options.split, options.file_format, options.order) == ("train", "tfrecord", "shuffled")


@pytest.mark.parametrize("crop_frames", [1, 4, 12, None])
def test_contiguous_crops_may_be_counted_by_whoever_counts_right(
    root: Path, crop_frames: int | None
) -> None:
    of_window = 12 // (crop_frames or 12)
    options: Any = {"order": "contiguous", "crop_frames": crop_frames, "batch_size": 4}
    left_out = open_dataset(root, **options)
    given = open_dataset(root, **options, crops_per_window=of_window)
    assert len(left_out) == 16 * of_window
    assert_batches(take(iter(given), 5), take(iter(left_out), 5))


def test_one_feature_may_be_named_alone(root: Path) -> None:
    one, some = open_dataset(root, features="notes"), open_dataset(root, features=["notes"])
    assert_batches(list(one.epoch(0)), list(some.epoch(0)))
    assert "log_mel" not in next(iter(one))


def test_a_split_without_windows_is_rejected(tmp_path: Path) -> None:
    make_dataset(tmp_path, frames={"train": (100,), "validation": (), "test": ()})
    with pytest.raises(TrainingError) as raised:
        open_dataset(tmp_path, "test")
    assert str(raised.value) == (
        f"{tmp_path}: split 'test' holds no windows; read one that does: train (2); or make a "
        "dataset of three recordings or more, or assign splits of your own"
    )
    assert len(open_dataset(tmp_path)) == 2
    make_dataset(tmp_path / "empty", frames={"train": (), "validation": (), "test": ()})
    with pytest.raises(TrainingError, match="holds no windows; make a dataset of three"):
        open_dataset(tmp_path / "empty")
