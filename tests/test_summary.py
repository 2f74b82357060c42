from pathlib import Path

from pipelines.summary import summarise, summary_text
from schemas import Dataset


def test_the_figures_add_up(tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    summary = summarise(dataset)
    rows = dataset.recordings().to_pylist()
    splits = summary["splits"].values()
    assert sum(split["recordings"] for split in splits) == len(rows)
    assert sum(split["windows"] for split in splits) == sum(row["windows"] for row in rows)
    assert sum(split["notes"] for split in splits) == 8 * len(rows)
    assert summary["test_recordings_of_training_works"] in (0, 1)
    text = summary_text(summary)
    assert summary["fingerprint"][:16] in text
    assert "validation" in text
