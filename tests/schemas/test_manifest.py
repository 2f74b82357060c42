import json

import numpy as np
import pytest

from schemas import DamagedDataError, DatasetError, FeatureConfig, Manifest
from schemas.checksums import canonical_json, sha256
from schemas.manifest import FileEntry, SplitSummary
from schemas.shards import SPLITS
from schemas.statistics import Statistics

MANIFEST = Manifest(
    config=FeatureConfig(n_mels=3),
    seed=7,
    formats=("tfrecord",),
    splits={split: SplitSummary(2, 30, 4) for split in SPLITS},
    statistics=Statistics.of(np.array([[1.0, 2.0, 3.0], [3.0, 2.5, -1.0]])),
    plan_digest="p",
    fingerprint="f",
    packages={"numpy": "2.0"},
    files={"train/x": FileEntry("s", 10)},
)


def test_bytes_and_back_is_the_same() -> None:
    data = MANIFEST.to_bytes()
    again = Manifest.from_bytes(data, where="dataset.json")
    assert again.to_bytes() == data
    assert (again.config, again.splits, again.files) == (
        MANIFEST.config,
        MANIFEST.splits,
        MANIFEST.files,
    )
    assert again.statistics is not None
    np.testing.assert_array_equal(again.statistics.mean, [2.0, 2.25, 1.0])
    np.testing.assert_allclose(again.statistics.std, [1.0, 0.25, 2.0])


def test_a_newer_version_is_rejected_with_the_remedy() -> None:
    body = json.loads(MANIFEST.to_bytes())
    body["format_version"] = 2
    with pytest.raises(
        DatasetError, match=r"x\.json: written in format version 2.*install a newer"
    ):
        Manifest.from_bytes(json.dumps(body).encode(), where="x.json")


def test_an_edit_is_noticed() -> None:
    edited = MANIFEST.to_bytes().replace(b'"seed": 7', b'"seed": 8')
    with pytest.raises(DamagedDataError, match=r"x\.json: differs from its own digest"):
        Manifest.from_bytes(edited, where="x.json")


def test_the_digest_is_of_everything_else() -> None:
    body = json.loads(MANIFEST.to_bytes())
    digest = body.pop("digest")
    assert digest == sha256(canonical_json(body))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"digest": 3}'])
def test_what_is_not_a_manifest_is_called_so(data: bytes) -> None:
    with pytest.raises(DamagedDataError, match=r"x\.json: not the manifest of a dataset"):
        Manifest.from_bytes(data, where="x.json")
