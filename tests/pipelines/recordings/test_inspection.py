import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import PipelineError
from pipelines.recordings.inspection import Inspected, inspect_recording
from pipelines.recordings.listing import list_sources
from pipelines.run_state import claim_plan
from pipelines.writing.label_writer import inspect_and_keep
from schemas import Storage
from schemas.tables import LABELS, labels_file, table_from_bytes
from tests.support.tiny_musicnet import CONFIG, RECORDINGS, write_tiny_musicnet


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tiny_musicnet(tmp_path / "in", RECORDINGS[:2])


def inspect(root: Path, **changed: Any) -> tuple[Inspected, bytes | None]:
    source = list_sources(str(root))[0][0]
    return inspect_recording(source, str(root), dataclasses.replace(CONFIG, **changed))


def test_a_good_recording_is_a_row_and_its_labels(root: Path) -> None:
    inspected, labels = inspect(root)
    assert inspected.accepted
    assert inspected.row["samples"] == round(1.3 * 44_100)
    assert inspected.row["notes"] == 8
    assert labels is not None
    assert inspected.row["composition"] == "A"
    assert table_from_bytes(labels, LABELS, where="x").num_rows == 8


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("train_data/101.wav", b"", "audio_empty"),
        ("train_data/101.wav", b"no audio", "audio_not_wav"),
        ("train_labels/101.csv", b"x,y\n1,2\n", "labels_malformed"),
    ],
)
def test_bad_files_are_rejects(root: Path, name: str, data: bytes, reason: str) -> None:
    (root / name).write_bytes(data)
    inspected, labels = inspect(root)
    assert not inspected.accepted
    assert [reject.reason for reject in inspected.rejects] == [reason]
    assert "101." in inspected.rejects[0].message
    assert labels is None


def test_labels_that_cannot_be_read_cost_only_the_notes(root: Path) -> None:
    (root / "train_labels/101.csv").write_text("x,y")
    inspected, labels = inspect(root, features=("log_mel",))
    assert inspected.accepted
    assert [reject.reason for reject in inspected.rejects] == ["labels_malformed"]
    assert labels is None


def test_missing_labels_matter_only_to_notes(root: Path) -> None:
    (root / "train_labels/101.csv").unlink()
    assert inspect(root)[0].rejects[0].reason == "labels_missing"
    assert inspect(root, features=("log_mel",))[0].accepted


def test_a_note_out_of_range_is_a_reject_of_its_row(root: Path) -> None:
    path = root / "train_labels/101.csv"
    path.write_text(path.read_text() + "5,9,1,128,0.0,1.0,Quarter\n")
    inspected, _ = inspect(root)
    assert inspected.accepted
    assert [(reject.reason, reject.position) for reject in inspected.rejects] == [
        ("note_out_of_range", 8)
    ]


def test_labels_of_another_run_are_not_replaced(root: Path, tmp_path: Path) -> None:
    source = list_sources(str(root))[0][0]
    build = str(tmp_path / "out")
    first = inspect_and_keep(source, str(root), build, CONFIG)
    assert inspect_and_keep(source, str(root), build, CONFIG) == first
    claim_plan(Storage(build), {})
    kept = Storage(build).read_bytes(labels_file("101"))
    path = root / "train_labels/101.csv"
    path.write_text(path.read_text() + "5,9,1,60,0.0,1.0,Quarter\n")
    with pytest.raises(PipelineError, match=r"101\.parquet: was written from other labels"):
        inspect_and_keep(source, str(root), build, CONFIG)
    assert Storage(build).read_bytes(labels_file("101")) == kept


def test_a_link_that_leads_nowhere_is_a_reject(root: Path) -> None:
    (root / "train_data/101.wav").unlink()
    (root / "train_data/101.wav").symlink_to("/nowhere.wav")
    inspected, _ = inspect(root)
    assert [reject.reason for reject in inspected.rejects] == ["audio_missing"]
