"""The Croissant description; an integration test has mlcroissant validate and read it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cards.add import subject_of
from pipelines.cards.croissant import croissant_json
from pipelines.cards.origin import MUSICNET
from pipelines.cards.subject import Subject
from schemas import Dataset
from schemas.checksums import sha256
from schemas.manifest import MANIFEST_FILE
from schemas.names import CARD_FILES, FORMATS, SPLITS
from schemas.shards import index_file
from schemas.tables import LABELS, RECORDINGS, index_schema
from tests.pipelines.cards.test_origin import ROW
from tests.support.dataset_factory import make_dataset


@pytest.fixture
def subject(tiny_dataset: Path) -> Subject:
    return subject_of(Dataset(tiny_dataset))


def body(subject: Subject) -> dict[str, Any]:
    return json.loads(croissant_json(subject))


def of_type(subject: Subject, kind: str) -> dict[str, dict[str, Any]]:
    distribution = body(subject)["distribution"]
    return {each["name"]: each for each in distribution if each["@type"] == kind}


def fields_of(subject: Subject, records: str) -> list[str]:
    (found,) = [each for each in body(subject)["recordSet"] if each["@id"] == records]
    return [field["name"] for field in found["field"]]


def test_every_file_but_the_cards_has_its_digest(tiny_dataset: Path, subject: Subject) -> None:
    described = of_type(subject, "cr:FileObject")
    there = set(Dataset(tiny_dataset).storage.list_files())
    assert set(described) == there - {MANIFEST_FILE, *CARD_FILES}
    for name, each in described.items():
        data = (tiny_dataset / name).read_bytes()
        assert each["sha256"] == sha256(data)
        assert each["contentSize"] == f"{len(data)} B"
        assert each["contentUrl"] == name


def test_it_does_not_depend_on_what_the_manifest_says_of_cards(subject: Subject) -> None:
    files = {name: each for name, each in subject.manifest.files.items() if name not in CARD_FILES}
    assert len(files) == len(subject.manifest.files) - len(CARD_FILES)
    manifest = dataclasses.replace(subject.manifest, files=files)
    without = dataclasses.replace(subject, manifest=manifest)
    assert croissant_json(without) == croissant_json(subject)


@pytest.mark.parametrize("file_format", FORMATS)
def test_shards_and_indexes_are_those_of_one_format(file_format: str, subject: Subject) -> None:
    manifest = dataclasses.replace(subject.manifest, formats=(file_format,))
    sets = of_type(dataclasses.replace(subject, manifest=manifest), "cr:FileSet")
    for split in SPLITS:
        count = manifest.splits[split].shards
        extension = {"tfrecord": "tfrecord", "hdf5": "h5"}[file_format]
        shard = f"{split}/00000-of-{count:05d}.{extension}"
        shards = sets["shard-files"]["includes"]
        assert any(Path(shard).match(pattern) for pattern in shards) == bool(count)
        assert not any(Path(index_file(shard)).match(pattern) for pattern in shards)
        indexes = sets["index-files"]["includes"]
        assert any(Path(index_file(shard)).match(each) for each in indexes) == bool(count)


def test_records_have_the_columns_of_the_tables(subject: Subject) -> None:
    assert fields_of(subject, "recordings") == RECORDINGS.names
    assert fields_of(subject, "labels") == ["file", *LABELS.names]
    specs = subject.manifest.config.specs()
    assert fields_of(subject, "windows") == ["split", "shard", *index_schema(specs).names]


def test_without_labels_there_are_no_records_of_them(tmp_path: Path) -> None:
    subject = subject_of(Dataset(make_dataset(tmp_path / "dataset")))
    assert "label-files" not in of_type(subject, "cr:FileSet")
    assert "labels" not in [each["@id"] for each in body(subject)["recordSet"]]


def test_what_only_musicnet_may_say(subject: Subject) -> None:
    rows = [{**row, **ROW} for row in subject.recordings]
    musicnet = body(dataclasses.replace(subject, recordings=rows))
    assert musicnet["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert musicnet["citeAs"] == MUSICNET.citation
    assert "rai:dataAnnotationProtocol" in musicnet
    other = body(subject)
    assert other["license"] == "unknown"
    assert not {"citeAs", "rai:dataAnnotationProtocol", "rai:dataCollection"} & set(other)
    named = [{**row, "license": "CC0"} for row in subject.recordings]
    assert body(dataclasses.replace(subject, recordings=named))["license"] == "CC0"


def test_biases_are_counted(subject: Subject) -> None:
    rows = [{**row, "composer": None} for row in subject.recordings]
    rows[0]["composer"] = "Bach"
    (composers, ensembles) = body(dataclasses.replace(subject, recordings=rows))["rai:dataBiases"]
    assert composers == f"Recordings by composer: unknown {len(rows) - 1}, Bach 1."
    assert ensembles == f"Recordings by ensemble: Solo {len(rows)}."


def test_ids_are_iris_whatever_recordings_are_called(subject: Subject) -> None:
    name = "labels/take 1 \u00fc%2F{x}.parquet"
    entry = next(iter(subject.files.values()))
    manifest = dataclasses.replace(subject.manifest, files={**subject.files, name: entry})
    odd = of_type(dataclasses.replace(subject, manifest=manifest), "cr:FileObject")[name]
    assert odd["@id"] == "labels/take%201%20%C3%BC%252F%7Bx%7D.parquet"
    assert odd["contentUrl"] == name
