"""The card of the Hugging Face Hub; an integration test loads datasets with it."""

import dataclasses
import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipelines.cards.add import subject_of
from pipelines.cards.hugging_face import readme
from pipelines.cards.origin import MUSICNET
from pipelines.cards.subject import Subject
from schemas import Dataset, FeatureConfig
from tests.pipelines.cards.test_origin import ROW
from tests.support.dataset_factory import ALL_FEATURES, CONFIG, FEW_FRAMES, make_dataset


@pytest.fixture
def subject(tiny_dataset: Path) -> Subject:
    return subject_of(Dataset(tiny_dataset))


def front_matter(subject: Subject) -> dict[str, Any]:
    before, text, _ = readme(subject).decode().split("---\n", 2)
    assert before == ""
    return yaml.safe_load(text)


def with_rows(subject: Subject, **values: Any) -> Subject:
    rows = [{**row, **values} for row in subject.recordings]
    return dataclasses.replace(subject, recordings=rows)


def test_the_windows_are_loaded_and_never_the_indexes(subject: Subject) -> None:
    (config,) = front_matter(subject)["configs"]
    assert config["config_name"] == "windows"
    for entry in config["data_files"]:
        found = fnmatch.filter(subject.files, entry["path"])
        assert found
        assert all(name.endswith(".h5") for name in found)
        assert len(found) == subject.manifest.splits[entry["split"]].shards
    splits = [entry["split"] for entry in config["data_files"]]
    assert splits == [name for name, each in subject.manifest.splits.items() if each.windows]


@pytest.mark.parametrize("config", [CONFIG, ALL_FEATURES])
def test_features_have_their_shapes_and_dtypes(tmp_path: Path, config: FeatureConfig) -> None:
    root = make_dataset(tmp_path / "dataset", config=config, frames=FEW_FRAMES)
    matter = front_matter(subject_of(Dataset(root)))
    described = {each.pop("name"): each for each in matter["dataset_info"][0]["features"]}
    for name, spec in config.specs().items():
        dtype, of = np.dtype(spec.dtype).name, described[name]
        if len(spec.shape) == 1:
            assert of == {"list": dtype, "length": spec.shape[0]}
        else:
            assert of == {"dtype": {"array2_d": {"shape": list(spec.shape), "dtype": dtype}}}
    assert set(described) == {"recording_id", "first_frame", "valid_frames", *config.features}


def test_without_hdf5_the_indexes_are_not_loaded_either(subject: Subject) -> None:
    manifest = dataclasses.replace(subject.manifest, formats=("tfrecord",))
    matter = front_matter(dataclasses.replace(subject, manifest=manifest))
    (config,) = matter["configs"]
    assert config["data_files"] == [{"split": "recordings", "path": "recordings.parquet"}]


def test_a_split_without_windows_is_left_out(subject: Subject) -> None:
    without = {**subject.shard_windows, "validation": ()}
    (config,) = front_matter(dataclasses.replace(subject, shard_windows=without))["configs"]
    assert [each["split"] for each in config["data_files"]] == ["train", "test"]


def test_only_musicnet_has_its_license_and_citation(subject: Subject) -> None:
    musicnet = with_rows(subject, **ROW)
    assert front_matter(musicnet)["license"] == "cc-by-4.0"
    assert MUSICNET.citation in readme(musicnet).decode()
    assert front_matter(subject)["license"] == "unknown"
    assert "Citation" not in readme(subject).decode()
    own = with_rows(subject, license='mine: "all" #1')
    matter = front_matter(own)
    assert (matter["license"], matter["license_name"]) == ("other", 'mine: "all" #1')


def test_works_in_several_splits_are_named(subject: Subject) -> None:
    """Recordings 101, 102 and 201 play work A."""
    text = readme(subject).decode()
    (line,) = [each for each in text.splitlines() if each.startswith("| Composer: A |")]
    assert {"101 102", "201"} <= {cell.strip() for cell in line.split("|")}
    apart = [{**row, "composition": row["recording_id"]} for row in subject.recordings]
    text = readme(dataclasses.replace(subject, recordings=apart)).decode()
    assert "No work that the metadata name has recordings in more than one split" in text
    unknown = readme(with_rows(subject, composer=None)).decode()
    assert f"do not name the work of {len(subject.recordings)} recordings" in unknown


def test_no_text_of_others_breaks_the_page(subject: Subject) -> None:
    odd = readme(with_rows(subject, composer="A | B\n# <b>", composition="*`\u2028\ud800"))
    (line,) = [each for each in odd.decode().splitlines() if each.startswith("| A ")]
    assert line.startswith(r"| A \| B\\n\# \<b\>: \*\`\\u2028\\ud800 | ")
