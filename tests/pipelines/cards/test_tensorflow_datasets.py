"""The files of TensorFlow Datasets, against what is stored; an integration test opens them."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.cards.add import subject_of
from pipelines.cards.files import card_files
from pipelines.cards.tensorflow_datasets import dataset_info_json, features_json
from schemas import PRESETS, Dataset, FeatureConfig
from schemas.names import TFDS_FILES
from schemas.shards import index_file
from tests.support.dataset_factory import ALL_FEATURES, CONFIG, FEW_FRAMES, make_dataset


@pytest.mark.parametrize(
    "config", [*PRESETS.values(), CONFIG, FeatureConfig(dtype="float16", features=("log_mel",))]
)
def test_every_feature_has_its_shape_and_dtype(config: FeatureConfig) -> None:
    described = json.loads(features_json(config))["featuresDict"]["features"]
    assert list(described) == sorted(["recording_id", "first_frame", "valid_frames",
                                      *config.features])  # fmt: skip
    for spec in config.specs().values():
        tensor = described[spec.name]["tensor"]
        assert tensor["encoding"] == "bytes"
        assert np.dtype(tensor["dtype"]) == np.dtype(spec.dtype)
        assert tuple(map(int, tensor["shape"]["dimensions"])) == spec.shape


def test_splits_are_the_shards_as_they_are(tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    info = json.loads(dataset_info_json(subject_of(dataset)))
    for split in info["splits"]:
        name, count = split["name"], len(split["shardLengths"])
        shards = [
            split["filepathTemplate"]
            .replace("{SPLIT}", name)
            .replace("{SHARD_X_OF_Y}", f"{number:05d}-of-{count:05d}")
            .replace("{FILEFORMAT}", info["fileFormat"])
            for number in range(count)
        ]
        assert shards == dataset.shards(name, "tfrecord")
        sizes = [(tiny_dataset / shard).stat().st_size for shard in shards]
        assert int(split["numBytes"]) == sum(sizes)
        rows = [dataset.index(shard).report.windows for shard in shards]
        assert list(map(int, split["shardLengths"])) == rows
        assert (tiny_dataset / index_file(shards[0])).exists()
    counts = {each["name"]: sum(map(int, each["shardLengths"])) for each in info["splits"]}
    stored = {name: split.windows for name, split in dataset.manifest.splits.items()}
    assert counts == {name: windows for name, windows in stored.items() if windows}


def test_only_tfrecord_shards_have_them(tmp_path: Path) -> None:
    for file_format, expected in (("tfrecord", set(TFDS_FILES)), ("hdf5", set())):
        root = make_dataset(
            tmp_path / file_format,
            config=ALL_FEATURES,
            frames=FEW_FRAMES,
            formats=(file_format,),
        )
        assert set(card_files(subject_of(Dataset(root)))) & set(TFDS_FILES) == expected
