from pathlib import Path

from pipelines.summary import summarize, summary_text
from schemas import Dataset


def test_the_figures_add_up(tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    summary = summarize(dataset)
    rows = dataset.recordings().to_pylist()
    splits = summary.splits.values()
    assert sum(split.recordings for split in splits) == len(rows)
    assert sum(split.windows for split in splits) == sum(row["windows"] for row in rows)
    assert sum(split.notes for split in splits) == 8 * len(rows)
    assert summary.leakage.recordings_of_unknown_works == 0
    text = summary_text(summary)
    assert summary.fingerprint[:16] in text
    assert "validation" in text


def test_works_on_both_sides_are_named(tiny_dataset: Path) -> None:
    """Recordings 101, 102 and 201 play work A; the last one is MusicNet's own test recording."""
    summary = summarize(Dataset(tiny_dataset))
    (shared,) = summary.leakage.works_in_several_splits
    assert shared["work"] == "Composer: A"
    assert shared["test"] == ["201"]
    assert ["101", "102"] in shared.values()
    assert "  Composer: A: " in summary_text(summary)
    assert "; test 201" in summary_text(summary)
