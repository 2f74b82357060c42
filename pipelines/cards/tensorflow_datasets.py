"""The two files with which TensorFlow Datasets (TFDS) opens TFRecord shards as they are.

`tfds.builder_from_directory` reads them. They have the JSON form of the messages in
`tensorflow_datasets/core/proto`, `feature.proto` and `dataset_info.proto`, in which an int64 is a
text. `tfds.folder_dataset.write_metadata` would write them, too, but takes no folder per split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.cards.origin import origin_of
from pipelines.cards.subject import Subject
from pipelines.cards.text import VERSION, description, unit_of
from schemas import FeatureConfig, FeatureSpec
from schemas.manifest import spelled
from schemas.shards import shard_file

DATASET_NAME = "musicnet_duet"
"""What TFDS calls a dataset; it takes lowercase letters, digits and underscores."""

_MODULE = "tensorflow_datasets.core.features"


def features_json(config: FeatureConfig) -> bytes:
    """`features.json`: the name, shape and dtype of everything in a window."""
    features = {
        "recording_id": {"pythonClassName": f"{_MODULE}.text_feature.Text", "text": {}},
        "first_frame": _scalar("int64"),
        "valid_frames": _scalar("int32"),
        **{spec.name: _tensor(spec) for spec in config.specs().values()},
    }
    return spelled(
        {
            "featuresDict": {"features": features},
            "pythonClassName": f"{_MODULE}.features_dict.FeaturesDict",
        }
    )


def dataset_info_json(subject: Subject) -> bytes:
    """`dataset_info.json`: where the shards are, and how many windows each one has.

    A split without shards is left out.
    """
    origin = origin_of(subject.recordings)
    info: dict[str, Any] = {
        "name": DATASET_NAME,
        "version": VERSION,
        "description": description(subject),
        "fileFormat": "tfrecord",
        "splits": [
            _split(subject, split, windows)
            for split, windows in subject.shard_windows.items()
            if windows
        ],
        "redistributionInfo": {"license": origin.terms},
    }
    if origin.citation:
        info["citation"] = origin.citation
    if origin.homepage:
        info["location"] = {"urls": [origin.homepage]}
    return spelled(info)


def _split(subject: Subject, split: str, windows: Any) -> Mapping[str, Any]:
    count = len(windows)
    shards = [shard_file(split, number, count, "tfrecord") for number in range(count)]
    return {
        "name": split,
        "filepathTemplate": "{SPLIT}/{SHARD_X_OF_Y}.{FILEFORMAT}",
        "numBytes": str(sum(subject.files[name].nbytes for name in shards)),
        "shardLengths": [str(each) for each in windows],
    }


def _scalar(dtype: str) -> Mapping[str, Any]:
    return {
        "pythonClassName": f"{_MODULE}.scalar.Scalar",
        "tensor": {"dtype": dtype, "encoding": "none", "shape": {}},
    }


def _tensor(spec: FeatureSpec) -> Mapping[str, Any]:
    return {
        "pythonClassName": f"{_MODULE}.tensor_feature.Tensor",
        "description": f"unit: {unit_of(spec)}",
        "tensor": {
            "dtype": np.dtype(spec.dtype).name,
            "encoding": "bytes",
            "shape": {"dimensions": [str(length) for length in spec.shape]},
        },
    }
