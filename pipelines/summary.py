"""Tables that say what a dataset holds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.splits import work_of
from schemas import Dataset
from schemas.shards import SPLITS


def summarise(dataset: Dataset) -> dict[str, Any]:
    """What a dataset holds, JSON-ready."""
    manifest = dataset.manifest
    config = manifest.config
    rows = dataset.recordings().to_pylist()
    splits = {}
    for split in SPLITS:
        own = [row for row in rows if row["split"] == split]
        splits[split] = {
            **dataclasses.asdict(manifest.splits[split]),
            "minutes": round(sum(row["samples"] / row["sample_rate"] for row in own) / 60, 2),
            "works": len({work_of(row) for row in own}),
            "notes": sum(row["notes"] or 0 for row in own),
        }
    training_works = {work_of(row) for row in rows if row["split"] == "train"}
    reasons = Counter(row["reason"] for row in dataset.rejects().to_pylist())
    return {
        "dataset": dataset.storage.root,
        "fingerprint": manifest.fingerprint,
        "formats": list(manifest.formats),
        "megabytes": round(sum(entry.nbytes for entry in manifest.files.values()) / 1e6, 1),
        "config": config.to_dict(),
        "window_seconds": round(config.window_frames / config.frames_per_second, 3),
        "features": {
            spec.name: f"{spec.dtype} {list(spec.shape)} {spec.unit}"
            for spec in config.specs().values()
        },
        "splits": splits,
        "test_recordings_of_training_works": sum(
            work_of(row) in training_works for row in rows if row["split"] == "test"
        ),
        "rejects": dict(sorted(reasons.items())),
    }


def summary_text(summary: Mapping[str, Any]) -> str:
    """The same for people."""
    config = summary["config"]
    shared = summary["test_recordings_of_training_works"]
    lines = [
        f"{summary['dataset']}: {summary['megabytes']:,} MB as {' and '.join(summary['formats'])}",
        f"fingerprint {summary['fingerprint'][:16]}",
        f"{config['sample_rate']:,} Hz, n_fft {config['n_fft']}, hop {config['hop_length']}, "
        f"{config['n_mels']} mels; windows of {config['window_frames']} frames "
        f"({summary['window_seconds']} s), a new one every {config['stride_frames']}",
        *(f"  {name:<9} {text}" for name, text in summary["features"].items()),
        splits_table(summary["splits"]),
        f"{shared} of {summary['splits']['test']['recordings']} test recordings play a work that "
        "training recordings play too",
    ]
    lines += [f"refused: {count} x {reason}" for reason, count in summary["rejects"].items()]
    return "\n".join(lines)


def splits_table(splits: Mapping[str, Mapping[str, Any]]) -> str:
    """A row per split, a column per figure."""
    columns = list(next(iter(splits.values())))
    rows = [["split", *columns]]
    rows += [
        [name, *(f"{split[column]:,}" for column in columns)] for name, split in splits.items()
    ]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Text columns: the first to the left, figures to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
