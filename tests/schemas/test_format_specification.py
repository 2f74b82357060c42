"""docs/format.md against a real dataset: a reader made from the document finds what ours finds."""

from __future__ import annotations

import ast
import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas import Dataset, DatasetError, FeatureConfig, Manifest
from schemas.features import DEFINITION
from schemas.manifest import FORMAT_VERSION
from schemas.tables import INPUTS, LABELS, RECORDINGS, REJECTS
from tests.support import independent_reader as independent
from tests.support.reference import windows_of
from training import open_dataset

DOCUMENT = Path(__file__).parents[2] / "docs" / "format.md"
FORMATS = ("tfrecord", "hdf5")


@pytest.fixture(scope="module")
def manifest(tiny_dataset: Path) -> dict[str, Any]:
    return independent.read_manifest(tiny_dataset)


@pytest.fixture(scope="module")
def recordings(tiny_dataset: Path) -> list[dict[str, Any]]:
    return pq.read_table(tiny_dataset / "recordings.parquet").to_pylist()


def stored(root: Path, manifest: dict[str, Any], file_format: str) -> list[Any]:
    return [
        window
        for split in independent.SPLITS
        for shard in independent.shard_names(manifest, split, file_format)
        for window in independent.indexed_windows(root, manifest, shard)
    ]


def test_the_reader_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(independent.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom)
                     else [alias.name for alias in node.names])
    }  # fmt: skip
    assert not imported & {"schemas", "pipelines", "training", "tests"}


def test_the_manifest_has_the_documented_keys(manifest: dict[str, Any]) -> None:
    text = DOCUMENT.read_text()
    section = text.partition("## `dataset.json`")[2].partition("`config` holds:")
    assert set(re.findall(r"^\| `(\w+)` \|", section[0], re.M)) == set(manifest)
    table = section[2].partition("`definition` is exactly:")
    rows = re.findall(r"^\| (`[^|]*`) \|", table[0], re.M)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(manifest["config"])
    (definition,) = re.findall(r"```json\n(.*?)```", table[2], re.S)
    assert json.loads(definition) == dict(DEFINITION) == manifest["config"]["definition"]


@pytest.mark.parametrize(
    ("heading", "schema"),
    [
        ("`recordings.parquet` has", RECORDINGS),
        ("`labels/ID", LABELS),
        ("`rejects", REJECTS),
        ("`inputs", INPUTS),
    ],
)
def test_tables_have_the_documented_columns(heading: str, schema: Any) -> None:
    section = DOCUMENT.read_text().partition("## Tables")[2].partition(f"\n{heading}")[2]
    lines = re.search(r"\n\n(\| Column.*?)\n\n", section, re.S)
    assert lines
    documented = [
        (name, kind)
        for names, kind in re.findall(r"^\| (`[^|]*`) \| (\w+) \|", lines[1], re.M)
        for name in re.findall(r"`(\w+)`", names)
    ]
    spelled = {"double": "float64"}
    expected = [(field.name, spelled.get(str(field.type), str(field.type))) for field in schema]
    assert documented == expected


def test_the_folder_holds_what_the_manifest_lists(
    tiny_dataset: Path, manifest: dict[str, Any]
) -> None:
    present = {
        str(path.relative_to(tiny_dataset)) for path in tiny_dataset.rglob("*") if path.is_file()
    }
    assert present == {"dataset.json", *manifest["files"]}
    expected = {
        name
        for file_format in manifest["formats"]
        for split in independent.SPLITS
        for shard in independent.shard_names(manifest, split, file_format)
        for name in (shard, f"{shard}.index.parquet")
    }
    assert expected == {name for name in present if name.startswith(independent.SPLITS)}
    assert len(expected) > 12


@pytest.mark.parametrize("file_format", FORMATS)
def test_windows_are_those_of_our_reader(
    file_format: str, tiny_dataset: Path, manifest: dict[str, Any]
) -> None:
    found = stored(tiny_dataset, manifest, file_format)
    for window, ours in zip(found, windows_of(Dataset(tiny_dataset), file_format), strict=True):
        assert (window.recording_id, window.first_frame, window.valid_frames) == (
            ours.recording_id,
            ours.first_frame,
            ours.valid_frames,
        )
        assert list(window.payloads) == list(ours.features) == manifest["config"]["features"]
        for name, expected in ours.features.items():
            array = independent.array(manifest, window, name)
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)


def test_records_alone_hold_the_windows_of_the_index(
    tiny_dataset: Path, manifest: dict[str, Any]
) -> None:
    found = [
        window
        for split in independent.SPLITS
        for shard in independent.shard_names(manifest, split, "tfrecord")
        for window in independent.record_windows(tiny_dataset, shard)
    ]
    assert found == stored(tiny_dataset, manifest, "tfrecord")
    assert found == stored(tiny_dataset, manifest, "hdf5")


@pytest.mark.parametrize("file_format", FORMATS)
def test_windows_lie_where_the_permutation_puts_them(
    file_format: str,
    tiny_dataset: Path,
    manifest: dict[str, Any],
    recordings: list[dict[str, Any]],
) -> None:
    for row in recordings:
        assert row["windows"] == independent.window_count(manifest["config"], row["frames"])
    for split in independent.SPLITS:
        planned = independent.planned_windows(manifest, recordings, split)
        shards = independent.shard_names(manifest, split, file_format)
        assert manifest["splits"][split]["windows"] == sum(map(len, planned))
        for shard, expected in zip(shards, planned, strict=True):
            rows, _ = independent.read_index(tiny_dataset, shard)
            assert [
                (row["recording_id"], row["first_frame"], row["valid_frames"]) for row in rows
            ] == expected


def test_our_reader_delivers_the_documented_epochs(
    tiny_dataset: Path, manifest: dict[str, Any]
) -> None:
    reader = open_dataset(tiny_dataset, "train", batch_size=1, seed=7)
    size, batches = len(reader), iter(reader)
    for epoch in range(2):
        parts = ["epoch", manifest["fingerprint"], "train", 7, epoch]
        keys = independent.round_keys(parts)
        for position in range(size):
            expected = reader[independent.permute(position, size, keys)]
            batch = next(batches)
            assert batch["recording_id"][0] == expected["recording_id"]
            assert batch["first_frame"][0] == expected["first_frame"]


def test_digests_follow_from_the_files(
    tiny_dataset: Path, manifest: dict[str, Any], recordings: list[dict[str, Any]]
) -> None:
    assert independent.plan_digest(manifest, recordings) == manifest["plan_digest"]
    for file_format in FORMATS:
        found = independent.fingerprint(tiny_dataset, manifest, file_format)
        assert found == manifest["fingerprint"]


def test_notes_follow_from_the_labels(tiny_dataset: Path, manifest: dict[str, Any]) -> None:
    sounding = 0
    for window in stored(tiny_dataset, manifest, "tfrecord"):
        name = urllib.parse.quote(window.recording_id)
        labels = pq.read_table(tiny_dataset / f"labels/{name}.parquet").to_pylist()
        rolls = independent.piano_rolls(manifest["config"], labels, window)
        for feature, expected in rolls.items():
            array = independent.array(manifest, window, feature)
            np.testing.assert_array_equal(array, expected)
            sounding += int(expected.sum())
    assert sounding > 100


def test_statistics_follow_from_the_windows(tiny_dataset: Path, manifest: dict[str, Any]) -> None:
    shards = independent.shard_names(manifest, "train", "tfrecord")
    windows = []
    for shard in shards:
        own = list(independent.indexed_windows(tiny_dataset, manifest, shard))
        report = independent.read_index(tiny_dataset, shard)[1]["statistics"]
        found = independent.statistics(manifest, own)
        assert report["count"] == found["count"]
        np.testing.assert_allclose(report["total"], found["total"], rtol=1e-12)
        windows += own
    found, written = independent.statistics(manifest, windows), manifest["statistics"]
    assert written["count"] == found["count"]
    mean = found["total"] / found["count"]
    std = np.sqrt(found["total_of_squares"] / found["count"] - mean**2)
    np.testing.assert_allclose(written["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(written["std"], std, rtol=1e-9)


def test_padding_is_the_floor(tiny_dataset: Path, manifest: dict[str, Any]) -> None:
    floor = np.float32(10 * np.log10(manifest["config"]["amin"]))
    padded = 0
    for window in stored(tiny_dataset, manifest, "hdf5"):
        beyond = independent.array(manifest, window, "log_mel")[window.valid_frames :]
        assert (beyond == floor).all()
        padded += len(beyond)
    assert padded > 0


@pytest.mark.parametrize("version", [0, -1, FORMAT_VERSION + 1, 1.0, True, "1", None])
def test_other_versions_are_rejected(version: Any, manifest: dict[str, Any]) -> None:
    body = {key: value for key, value in manifest.items() if key != "digest"}
    body["format_version"] = version
    body["digest"] = independent.sha256(independent.canonical(body))
    with pytest.raises(DatasetError, match=r"^x: .*version"):
        Manifest.from_bytes(json.dumps(body).encode(), where="x")


def test_canonical_json_of_a_configuration_is_the_documented_one() -> None:
    config = FeatureConfig(amin=1e-10, fmax=11_025.0).to_dict()
    text = independent.canonical(config).decode()
    assert '"amin":1e-10' in text
    assert '"fmax":11025.0' in text
