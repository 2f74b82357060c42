"""Tables that say what a dataset holds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.planning.splits import works_in_several_splits
from pipelines.results import DryRun, PreprocessResult, Reuse
from pipelines.text import aligned
from schemas import Dataset
from schemas.manifest import SplitSummary
from schemas.rejects import reason_of
from schemas.shards import SPLITS
from schemas.works import has_work, work_of

if TYPE_CHECKING:
    from pipelines.build_folder import Action

_ACTIONS: Mapping[Action, str] = {
    "make": "a run would make a new dataset there",
    "continue": "a run would go on with the unfinished work there",
    "restart": "a run would discard the unfinished work there and begin anew",
    "replace": "a run would replace the dataset there",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitFigures(SplitSummary):
    """The size of one split, and what its recordings hold.

    `works` does not count recordings whose work is unknown.
    """

    minutes: float
    works: int
    notes: int


@dataclasses.dataclass(frozen=True)
class Leakage:
    """What a model may know from training of what it is tested on.

    `works_in_several_splits` is that of `planning.splits`.
    """

    works_in_several_splits: list[dict[str, Any]]
    recordings_of_unknown_works: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetSummary:
    """What a dataset holds.

    `dataset` is its folder or URL. A megabyte is 1,000,000 bytes. `config` is that of
    `FeatureConfig.to_dict`; `features` says the dtype, shape and unit of each feature. `rejects`
    and `notices` count by reason.
    """

    dataset: str
    fingerprint: str
    formats: tuple[str, ...]
    megabytes: float
    config: Mapping[str, Any]
    window_seconds: float
    features: Mapping[str, str]
    splits: Mapping[str, SplitFigures]
    leakage: Leakage
    rejects: Mapping[str, int]
    notices: Mapping[str, int]


def summarize(dataset: Dataset) -> DatasetSummary:
    """What a dataset holds. Raises `DatasetError` where its tables are missing or damaged."""
    manifest = dataset.manifest
    config = manifest.config
    rows = dataset.recordings().to_pylist()
    splits = {}
    for split in SPLITS:
        own = [row for row in rows if row["split"] == split]
        splits[split] = SplitFigures(
            **dataclasses.asdict(manifest.splits[split]),
            minutes=round(sum(row["samples"] / row["sample_rate"] for row in own) / 60, 2),
            works=len({work_of(row) for row in own if has_work(row)}),
            notes=sum(row["notes"] or 0 for row in own),
        )
    rejects, notices = reason_counts(dataset.rejects()["reason"].to_pylist())
    return DatasetSummary(
        dataset=dataset.storage.root,
        fingerprint=manifest.fingerprint,
        formats=manifest.formats,
        megabytes=round(sum(entry.nbytes for entry in manifest.files.values()) / 1e6, 1),
        config=config.to_dict(),
        window_seconds=round(config.window_frames / config.frames_per_second, 3),
        features={
            spec.name: f"{spec.dtype} {list(spec.shape)} {spec.unit}"
            for spec in config.specs().values()
        },
        splits=splits,
        leakage=Leakage(works_in_several_splits(rows), unknown_works(rows)),
        rejects=rejects,
        notices=notices,
    )


def summary_text(summary: DatasetSummary) -> str:
    """The same for people."""
    config = summary.config
    lines = [
        f"{summary.dataset}: {summary.megabytes:,} MB as {' and '.join(summary.formats)}",
        f"fingerprint {summary.fingerprint[:16]}",
        f"{config['sample_rate']:,} Hz, n_fft {config['n_fft']}, hop {config['hop_length']}, "
        f"{config['n_mels']} mels; windows of {config['window_frames']} frames "
        f"({summary.window_seconds} s), a new one every {config['stride_frames']}",
        *(f"  {name:<9} {text}" for name, text in summary.features.items()),
        splits_table(summary.splits),
        *_leakage_lines(summary.leakage),
    ]
    return "\n".join([*lines, *reason_lines(summary)])


def reason_counts(codes: Iterable[str]) -> tuple[dict[str, int], dict[str, int]]:
    """How often something was rejected, and how often only noticed, for each reason."""
    counts = sorted(Counter(codes).items())
    noticed = {code for code, _ in counts if reason_of(code).is_notice}
    return (
        {code: count for code, count in counts if code not in noticed},
        {code: count for code, count in counts if code in noticed},
    )


def reason_lines(result: PreprocessResult | DryRun | DatasetSummary) -> list[str]:
    """The same for people."""
    return [
        f"{word}: {count} x {code}"
        for word, counts in (("rejected", result.rejects), ("noticed", result.notices))
        for code, count in counts.items()
    ]


def outcome_lines(result: PreprocessResult | DryRun) -> list[str]:
    """What became of the input of a run, and what a dry run says of its output."""
    lines = [*reason_lines(result), *unknown_work_lines(result.recordings_of_unknown_works)]
    empty = [name for name, split in result.splits.items() if not split.windows]
    if empty:
        lines.append(
            f"splits without windows: {', '.join(empty)}; three recordings or more fill all three, "
            "or splits of your own do"
        )
    lines += reuse_lines(result.reuse, foreseen=isinstance(result, DryRun))
    if isinstance(result, PreprocessResult) and not result.shards_kept:
        lines += not_copied_lines(result.reuse)
    if isinstance(result, DryRun):
        lines.append(f"{result.output}: {_ACTIONS[result.action]}")
    return lines


def reuse_lines(reuse: Reuse | None, *, foreseen: bool) -> list[str]:
    """What was, or can be, copied from an earlier dataset, and how the new one differs from it."""
    if reuse is None:
        return []
    lines = []
    if foreseen:
        lines.append(f"windows to copy from {reuse.dataset}: {reuse.unchanged_windows:,}")
    elif reuse.windows is not None:
        lines.append(f"windows copied from {reuse.dataset}: {reuse.windows:,}")
    lines.append(
        f"recordings, beside {reuse.dataset}: {reuse.unchanged:,} unchanged, "
        f"{reuse.changed:,} changed, {reuse.added:,} new, {reuse.removed:,} gone or rejected"
    )
    if reuse.same_plan:
        lines.append("the plan is the same: the same windows in the same shards")
    else:
        lines.append("the plan is a new one: windows are in another order")
    if reuse.moved:
        lines.append(
            f"recordings that are in another split than before: {reuse.moved:,}; --splits with a "
            "row for every recording can keep them where they were"
        )
    return lines


def not_copied_lines(reuse: Reuse | None) -> list[str]:
    """How many windows were not copied although their recordings are unchanged, and why."""
    if reuse is None or reuse.windows is None or reuse.windows >= reuse.unchanged_windows:
        return []
    return [
        f"windows of unchanged recordings that were not copied: "
        f"{reuse.unchanged_windows - reuse.windows:,}; they are clipped or rejected, or "
        f"{reuse.dataset} was damaged, which duet verify finds out"
    ]


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


def _leakage_lines(leakage: Leakage) -> Iterator[str]:
    """Says which works are in several splits, and where this is unknown."""
    works = leakage.works_in_several_splits
    yield f"works in more than one split: {len(works)}"
    for work in works:
        placed = "; ".join(f"{split} {' '.join(work[split])}" for split in SPLITS if split in work)
        yield f"  {work['work']}: {placed}"
    yield from unknown_work_lines(leakage.recordings_of_unknown_works)


def splits_table(splits: Mapping[str, SplitSummary]) -> str:
    """A row per split, a column per figure."""
    figures = {name: dataclasses.asdict(split) for name, split in splits.items()}
    rows = [["split", *next(iter(figures.values()))]]
    rows += [[name, *(f"{each:,}" for each in own.values())] for name, own in figures.items()]
    return aligned(rows)


def audio_seconds(rows: list[dict[str, Any]]) -> float:
    """The duration of all recordings that were not rejected."""
    used = [row for row in rows if row["status"] != "rejected"]
    return round(sum(row["samples"] / row["sample_rate"] for row in used), 3)
