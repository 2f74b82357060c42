"""Run as a process: tools read a dataset, and how their arrays differ from ours is printed.

The first argument is the folder of the dataset, and the others are names of `TOOLS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from schemas import Dataset

Windows = Iterator[dict[str, Any]]
Tool = Callable[[Path, str], Windows]


def with_tfds(root: Path, split: str) -> Windows:
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(root)
    assert builder.info.splits[split].num_examples == Dataset(root).manifest.splits[split].windows
    for window in builder.as_dataset(split=split).as_numpy_iterator():
        yield {**window, "recording_id": window["recording_id"].decode()}


def with_hugging_face(root: Path, split: str) -> Windows:
    import datasets

    loaded = datasets.load_dataset(str(root), cache_dir=str(root.with_suffix(".cache")))
    assert set(loaded) == stored_splits(root)
    return windows_of_arrow(loaded[split])


def with_hugging_face_streaming(root: Path, split: str) -> Windows:
    import datasets

    loaded = datasets.load_dataset(str(root), streaming=True)
    assert set(loaded) == stored_splits(root)
    return windows_of_arrow(loaded[split])


def windows_of_arrow(split: Any) -> Windows:
    """The windows as Arrow holds them: with NumPy, `datasets` widens lists of integers to int64."""
    for table in split.with_format("arrow"):
        for number in range(table.num_rows):
            row = table.slice(number, 1)
            yield {name: value_of(row[name], kind) for name, kind in split.features.items()}


def value_of(column: Any, kind: Any) -> Any:
    """The only value of a column: an array, where it has a shape or a length."""
    shape = getattr(kind, "shape", None) or getattr(kind, "length", None)
    if not shape:
        (value,) = column.to_pylist()
        return value
    values = column.combine_chunks()
    values = getattr(values, "storage", values)
    while hasattr(values.type, "value_type"):
        values = values.flatten()
    return values.to_numpy(zero_copy_only=False).reshape(shape)


def with_croissant(root: Path, split: str) -> Windows:
    import mlcroissant as mlc

    described = mlc.Dataset(root / "croissant.json")
    assert not described.metadata.ctx.issues.errors
    shards = {each["shards/shard"]: each["shards/content"] for each in described.records("shards")}
    specs = Dataset(root).config.specs()
    for record in described.records("windows"):
        if record["windows/split"].decode() != split:
            continue
        data = shards[record["windows/shard"]]
        window = {
            name: np.frombuffer(
                data,
                spec.dtype,
                count=int(np.prod(spec.shape)),
                offset=record[f"windows/{name}_offset"],
            ).reshape(spec.shape)
            for name, spec in specs.items()
        }
        yield {
            **window,
            "recording_id": record["windows/recording_id"].decode(),
            "first_frame": record["windows/first_frame"],
            "valid_frames": record["windows/valid_frames"],
        }


def stored_splits(root: Path) -> set[str]:
    splits = Dataset(root).manifest.splits
    return {name for name, split in splits.items() if split.windows}


TOOLS: dict[str, Tool] = {
    "tfds": with_tfds,
    "hugging face": with_hugging_face,
    "hugging face, streaming": with_hugging_face_streaming,
    "croissant": with_croissant,
}


def differences(tool: Tool, root: Path) -> Iterator[str]:
    """What of a dataset a tool reads otherwise than this project does."""
    dataset = Dataset(root)
    for split in sorted(stored_splits(root)):
        number = -1
        for number, found in enumerate(tool(root, split)):
            own = dataset.window(split, number)
            expected = {
                **own.features,
                "recording_id": own.recording_id,
                "first_frame": own.first_frame,
                "valid_frames": own.valid_frames,
            }
            if set(found) != set(expected):
                yield f"{split} {number}: {sorted(found)}"
                return
            for name, value in expected.items():
                if not is_same(found[name], value):
                    yield f"{split} {number}: {name}"
        if number + 1 != dataset.manifest.splits[split].windows:
            yield f"{split}: {number + 1} windows"


def is_same(found: Any, expected: Any) -> bool:
    """Whether two arrays are equal bit for bit, in shape and dtype too, or two values are equal."""
    if not isinstance(expected, np.ndarray):
        return bool(found == expected)
    return (found.shape, found.dtype, found.tobytes()) == (
        expected.shape,
        expected.dtype,
        expected.tobytes(),
    )


def main(root: Path, names: list[str]) -> None:
    for name in names:
        for text in differences(TOOLS[name], root):
            print(f"{name}: {text}")
        print(f"{name}: done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
