from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.summary import summarize
from schemas import Dataset
from schemas.tables import RECORDINGS
from schemas.works import has_work
from training.works import SharedWorks, works_shared_with_training

Row = tuple[str, str, str | None, str | None]

KNOWN: list[Row] = [
    ("1", "train", "Bach", "Air"),
    ("2", "train", "Ravel", "Bolero"),
    ("3", "test", "Bach", "Air"),
    ("4", "test", "Bach", "Bolero"),
    ("5", "test", "Bach", None),
    ("6", "test", None, "Air"),
    ("7", "validation", "Bach", "Air"),
]
TESTED = {"3", "4", "5", "6"}


def dataset_of(rows: list[Row], root: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset whose table of recordings has these ids, splits, composers and compositions."""
    names = ("recording_id", "split", "composer", "composition")
    table = pa.Table.from_pylist(
        [{**dict(zip(names, row, strict=True)), "samples": 1, "sample_rate": 1} for row in rows],
        schema=RECORDINGS,
    )
    dataset = Dataset(root)
    monkeypatch.setattr(dataset, "recordings", lambda: table)
    return dataset


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (KNOWN, SharedWorks(1, 1, 2)),
        # Whether 4 is of the work of 8 is unknown.
        ([*KNOWN, ("8", "train", None, None)], SharedWorks(1, 0, 3)),
        ([*KNOWN, ("8", "train", "", "")], SharedWorks(1, 0, 3)),
        ([(row[0], row[1], None, None) for row in KNOWN], SharedWorks(0, 0, 4)),
        ([(row[0], row[1], "", "Air") for row in KNOWN], SharedWorks(0, 0, 4)),
    ],
)
def test_unknown_is_neither_yes_nor_no(
    rows: list[Row],
    expected: SharedWorks,
    small_dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = dataset_of(rows, small_dataset, monkeypatch)
    assert works_shared_with_training(dataset, TESTED) == expected
    assert works_shared_with_training(dataset, TESTED | {"1", "2"}) == expected


@pytest.mark.parametrize("unknown", [False, True])
def test_inspect_and_evaluate_agree(
    unknown: bool, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*KNOWN, ("8", "train", None, None)] if unknown else KNOWN
    dataset = dataset_of(rows, small_dataset, monkeypatch)
    leakage = summarize(dataset).leakage
    leaked = {
        name
        for work in leakage.works_in_several_splits
        if "train" in work
        for name in work.get("test", ())
    }
    found = works_shared_with_training(dataset, TESTED)
    assert found.shared == len(leaked) == 1
    without_work = [row for row in dataset.recordings().to_pylist() if not has_work(row)]
    assert leakage.recordings_of_unknown_works == len(without_work)
    assert found.unknown >= sum(row["split"] == "test" for row in without_work)


def test_the_sentence_says_what_is_unknown() -> None:
    assert SharedWorks(2, 1, 0).sentence() == (
        "2 of 3 recordings share a work with training recordings"
    )
    assert SharedWorks(2, 3, 4).sentence() == (
        "2 of 9 recordings share a work with training recordings, 3 do not, and of 4 it is unknown"
    )
