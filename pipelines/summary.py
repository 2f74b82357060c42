"""Tables that say what a dataset holds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipelines.build_folder import Action
from pipelines.planning.splits import works_in_several_splits
from pipelines.text import aligned
from schemas import Dataset
from schemas.rejects import reason_of
from schemas.shards import SPLITS
from schemas.works import has_work, work_of

_ACTIONS: Mapping[Action, str] = {
    "make": "a run would make a new dataset there",
    "continue": "a run would go on with the unfinished work there",
    "restart": "a run would discard the unfinished work there and begin anew",
    "replace": "a run would replace the dataset there",
}


def summarize(dataset: Dataset) -> dict[str, Any]:
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
            "works": len({work_of(row) for row in own if has_work(row)}),
            "notes": sum(row["notes"] or 0 for row in own),
        }
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
        "leakage": {
            "works_in_several_splits": works_in_several_splits(rows),
            "recordings_of_unknown_works": unknown_works(rows),
        },
        **reason_counts(dataset.rejects()["reason"].to_pylist()),
    }


def summary_text(summary: Mapping[str, Any]) -> str:
    """The same for people."""
    config = summary["config"]
    lines = [
        f"{summary['dataset']}: {summary['megabytes']:,} MB as {' and '.join(summary['formats'])}",
        f"fingerprint {summary['fingerprint'][:16]}",
        f"{config['sample_rate']:,} Hz, n_fft {config['n_fft']}, hop {config['hop_length']}, "
        f"{config['n_mels']} mels; windows of {config['window_frames']} frames "
        f"({summary['window_seconds']} s), a new one every {config['stride_frames']}",
        *(f"  {name:<9} {text}" for name, text in summary["features"].items()),
        splits_table(summary["splits"]),
        *_leakage_lines(summary["leakage"]),
    ]
    return "\n".join([*lines, *reason_lines(summary)])


def reason_counts(codes: Iterable[str]) -> dict[str, dict[str, int]]:
    """How often something was rejected for each reason, `rejects`, or only noticed, `notices`."""
    counts = sorted(Counter(codes).items())
    noticed = {code for code, _ in counts if reason_of(code).is_notice}
    return {
        "rejects": {code: count for code, count in counts if code not in noticed},
        "notices": {code: count for code, count in counts if code in noticed},
    }


def reason_lines(result: Mapping[str, Any]) -> list[str]:
    """The same for people, of what has the parts of `reason_counts`."""
    return [
        f"{word}: {count} x {code}"
        for word, counts in (("rejected", result["rejects"]), ("noticed", result["notices"]))
        for code, count in counts.items()
    ]


def outcome_lines(result: Mapping[str, Any]) -> list[str]:
    """What became of the input of a run, and what a dry run says of its output."""
    lines = [*reason_lines(result), *unknown_work_lines(result["recordings_of_unknown_works"])]
    if "action" in result:
        lines.append(f"{result['output']}: {_ACTIONS[result['action']]}")
    return lines


def unknown_works(rows: Iterable[Mapping[str, Any]]) -> int:
    """Of how many recordings in a split the metadata do not say which work they play."""
    return sum(not has_work(row) for row in rows if row["split"])


def unknown_work_lines(count: int) -> list[str]:
    """The same for people."""
    if not count:
        return []
    one_each = "each counts as a work of its own, so that splits may share works unnoticed"
    return [f"recordings whose work is unknown: {count}; {one_each}"]


def effort_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Where the time of a run's workers went; nothing where no shard was written."""
    stages = {"reading": "read", "computing": "compute", "writing": "write"}
    if f"milliseconds_{stages['writing']}" not in metrics:
        return []
    spent = {doing: metrics[f"milliseconds_{name}"]["sum"] / 1e3 for doing, name in stages.items()}
    parts = ", ".join(f"{seconds:,.1f} s {doing}" for doing, seconds in spent.items())
    return [f"all threads of all workers together: {parts}"]


def _leakage_lines(leakage: Mapping[str, Any]) -> Iterator[str]:
    """Says which works are in several splits, and where this is unknown."""
    works = leakage["works_in_several_splits"]
    yield f"works in more than one split: {len(works)}"
    for work in works:
        placed = "; ".join(f"{split} {' '.join(work[split])}" for split in SPLITS if split in work)
        yield f"  {work['work']}: {placed}"
    yield from unknown_work_lines(leakage["recordings_of_unknown_works"])


def splits_table(splits: Mapping[str, Mapping[str, Any]]) -> str:
    """A row per split, a column per figure."""
    columns = list(next(iter(splits.values())))
    rows = [["split", *columns]]
    rows += [
        [name, *(f"{split[column]:,}" for column in columns)] for name, split in splits.items()
    ]
    return aligned(rows)


def audio_seconds(rows: list[dict[str, Any]]) -> float:
    """The duration of all recordings that were not rejected."""
    used = [row for row in rows if row["status"] != "rejected"]
    return round(sum(row["samples"] / row["sample_rate"] for row in used), 3)
