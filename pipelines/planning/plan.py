"""The plan: which windows there are, and in which order.

Windows of a split are numbered recording by recording, in the order of ids. A keyed permutation
says which window comes at which position, and a shard holds a run of positions. So a worker that
has the plan and a shard's number knows its windows, and nothing needs to be shuffled.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.audio.header import AudioHeader
from pipelines.checks import require_integer, require_number
from pipelines.errors import PipelineError, TooManyRejectsError
from pipelines.planning.splits import TEST_SPLITS, WORKS, assigned_splits, split_recordings
from pipelines.recordings.inspection import Inspected
from schemas import FeatureConfig, invert, permutation_key, permute
from schemas.checksums import canonical_json, sha256
from schemas.manifest import Manifest, SplitSummary
from schemas.rejects import Reject, RejectReason, RejectStage, printable
from schemas.shards import SPLITS, shard_at, shard_bounds
from schemas.tables import INPUTS, RECORDINGS

DEFAULT_MAX_REJECTS = 0.01
ALWAYS_ALLOWED_REJECTS = 3
"""Recordings that may be rejected where no share was asked for, even if they exceed it."""

PLANNED = pa.schema(
    [
        *RECORDINGS,
        ("encoding", pa.string()),  # of `AudioHeader`, as the next ones; null where it is rejected
        ("container", pa.string()),
        ("big_endian", pa.bool_()),
        ("offset", pa.int64()),
        ("version", pa.string()),  # changes when the audio file does
        ("labels_sha256", pa.string()),  # of its label file in the dataset; null where it has none
        ("labels_nbytes", pa.int64()),
        ("inputs", pa.list_(pa.struct(INPUTS))),  # the files that it was made of
        ("unchanged", pa.bool_()),  # whether an earlier dataset has its windows
    ]
)
"""A row per recording of a run: what the dataset will say of it, and what the run must know."""

HEADER_COLUMNS = tuple(field.name for field in dataclasses.fields(AudioHeader))

_LARGEST_SHARD = 64_000_000
"""Bytes of a shard of a large dataset; smaller ones are divided into some `_SHARDS` shards."""

_SMALLEST_SHARD = 8_000_000
_SHARDS = 32
_SHOWN_REJECTS = 10
_SEVEREST = (
    RejectStage.LIST,
    RejectStage.AUDIO,
    RejectStage.WINDOW,
    RejectStage.LABELS,
    RejectStage.METADATA,
)
"""The stages at which something is rejected; the first says best why a recording is lost."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """How recordings are divided into windows, shards and splits.

    Attributes:
        features: What a window holds.
        seed: The seed for the splits and the order of the windows.
        shard_megabytes: The approximate size of a shard, in megabytes of 1,000,000 bytes. None
            means 64, or 8 to 64 for datasets below 2 GB.
        max_rejects: The share of recordings, from 0 to 1, that may be rejected before the run
            fails. None means 0.01, or 3 recordings if that is more.
        test_split: The recordings of the test split: MusicNet's own ("musicnet"), or those and
            all others that play the same works ("work-disjoint"). Where the input has no test
            recordings of its own, a tenth of the duration is drawn.
        works: What tells works apart, which no split divides: the "metadata", or the "folders"
            in which recordings lie.
        splits: A split ("train", "validation" or "test") for each recording id, instead.

    Raises:
        PipelineError: If a number is impossible, or a name unknown.

    Examples:
        >>> from pipelines import PlanOptions
        >>> from schemas import PRESETS
        >>> plan = PlanOptions(features=PRESETS["librosa"], shard_megabytes=16)
        >>> plan.shard_bytes(dataset_bytes=10**12)
        16000000
    """

    features: FeatureConfig
    seed: int = 0
    shard_megabytes: float | None = None
    max_rejects: float | None = None
    test_split: str = TEST_SPLITS[0]
    works: str = WORKS[0]
    splits: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        require_integer("seed", self.seed, least=-(2**63), most=2**63 - 1)
        if self.shard_megabytes is not None:
            require_number("shard_megabytes", self.shard_megabytes, least=1e-6, most=1e6)
        if self.max_rejects is not None:
            require_number("max_rejects", self.max_rejects, least=0, most=1)
        if self.test_split not in TEST_SPLITS:
            names = ", ".join(TEST_SPLITS)
            raise PipelineError(f"test_split={self.test_split!r} must be one of {names}")
        if self.works not in WORKS:
            raise PipelineError(f"works={self.works!r} must be one of {', '.join(WORKS)}")

    def shard_bytes(self, dataset_bytes: int) -> int:
        """The approximate size of a shard in bytes, for shards of `dataset_bytes` in total.

        Unless `shard_megabytes` is given, it keeps several workers busy to the end.
        """
        if self.shard_megabytes is not None:
            return round(self.shard_megabytes * 1e6)
        return min(max(dataset_bytes // _SHARDS, _SMALLEST_SHARD), _LARGEST_SHARD)

    def allowed_rejects(self, recordings: int) -> int:
        """How many of a number of recordings may be rejected."""
        if self.max_rejects is None:
            return max(ALWAYS_ALLOWED_REJECTS, int(DEFAULT_MAX_REJECTS * recordings))
        return int(self.max_rejects * recordings)


@dataclasses.dataclass(frozen=True)
class PlannedWindow:
    """One window and the recording that it is cut from (a row number of `Plan.recordings`)."""

    recording: int
    first_frame: int
    valid_frames: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """All that is known before the first shard is written; the same for every worker.

    `recordings` is a table of `PLANNED`, sorted by id, without what shards will count; in a plan
    that was read from a dataset, of `tables.RECORDINGS`. `shards` holds their number for each
    split. `digest` says what is to be made: of two runs with one digest, either can finish
    what the other left, also where only one of them reuses an earlier dataset.
    """

    config: FeatureConfig
    seed: int
    recordings: pa.Table
    shards: Mapping[str, int]
    digest: str
    rejects: tuple[Reject, ...]

    @functools.cached_property
    def recording_ids(self) -> list[str]:
        """The ids of the recordings, by the row numbers that planned windows name."""
        return self.recordings["recording_id"].to_pylist()

    @functools.cached_property
    def windows(self) -> dict[str, int]:
        """How many windows each split has, those included that will turn out to be bad."""
        return windows_by_split(self.recordings)

    def header(self, recording: int) -> AudioHeader:
        """The header of a recording that has windows, in the plan of a run."""
        row = {name: self.recordings[name][recording].as_py() for name in HEADER_COLUMNS}
        return AudioHeader(**row)

    def shard_windows(
        self, split: str, number: int, *, rejected: Collection[tuple[str, int | None]] = ()
    ) -> list[PlannedWindow]:
        """The windows of a shard, in file order, but for those of `rejected`.

        These are named by recording_id and first frame.
        """
        rows, first_windows = self._numbering[split]
        start, stop = shard_bounds(number, self.shards[split], self.windows[split])
        key = permutation_key("place", split, self.seed)
        windows = permute(np.arange(start, stop), self.windows[split], key)
        recordings = rows[np.searchsorted(first_windows, windows, side="right") - 1]
        frames = self.recordings["frames"].to_numpy()
        first = windows - first_windows[np.searchsorted(rows, recordings)]
        first = first * self.config.stride_frames
        valid = np.minimum(self.config.window_frames, frames[recordings] - first)
        ids = self.recordings["recording_id"]
        return [
            PlannedWindow(int(recording), int(first_frame), int(valid_frames))
            for recording, first_frame, valid_frames in zip(recordings, first, valid, strict=True)
            if not rejected or (ids[recording].as_py(), first_frame) not in rejected
        ]

    def place(self, recording: int, first_frame: int) -> tuple[str, int]:
        """The split and the number of the shard that a planned window belongs in."""
        split = self.recordings["split"][recording].as_py()
        rows, first_windows = self._numbering[split]
        first_window = first_windows[np.searchsorted(rows, recording)]
        window = first_window + first_frame // self.config.stride_frames
        key = permutation_key("place", split, self.seed)
        position = int(invert(window, self.windows[split], key))
        return split, shard_at(position, self.shards[split], self.windows[split])

    @functools.cached_property
    def _numbering(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each split, its recordings' row numbers and the number of each one's first window."""
        counts = self.recordings["windows"].fill_null(0).to_numpy()
        numbering = {}
        for split in SPLITS:
            own = pc.equal(self.recordings["split"], split).fill_null(False).to_numpy()
            rows = np.flatnonzero(own & (counts > 0))
            numbering[split] = rows, np.cumsum(counts[rows]) - counts[rows]
        return numbering


def make_plan(
    inspected: Sequence[Inspected],
    listing_rejects: Sequence[Reject],
    options: PlanOptions,
    *,
    unchanged: Collection[str] = (),
) -> Plan:
    """Sorts what was inspected and counts windows and shards.

    `unchanged` are the ids of recordings whose windows an earlier dataset has.

    Raises `PipelineError` when more recordings were rejected than is allowed, when a recording has
    no split, or when nothing is left.
    """
    config = options.features
    inspected = sorted(inspected, key=lambda each: each.source.recording_id.encode())
    rejects = [*listing_rejects, *(reject for each in inspected for reject in each.rejects)]
    accepted = [each for each in inspected if each.accepted]
    check_rejects([each.row for each in inspected], rejects, options)
    if options.splits is None:
        splits = split_recordings(
            [(each.row, each.source.group) for each in accepted],
            seed=options.seed,
            test_split=options.test_split,
            works=options.works,
        )
    else:
        ids = [each.source.recording_id for each in accepted]
        splits = assigned_splits(ids, options.splits)
    rows = [_planned_row(each, splits, config, unchanged) for each in inspected]
    table = pa.Table.from_pylist(rows, PLANNED)
    windows = windows_by_split(table)
    if not any(windows.values()):
        raise PipelineError(
            f"no recording fills a window of {config.window_frames} frames; "
            "choose a smaller window_frames or tail 'pad'"
        )
    shard_bytes = options.shard_bytes(sum(windows.values()) * config.window_bytes)
    shards = {
        split: min(count, -(-count * config.window_bytes // shard_bytes))
        for split, count in windows.items()
    }
    digest = plan_digest(config, options.seed, shards, table)
    return Plan(
        config=config,
        seed=options.seed,
        recordings=table,
        shards=shards,
        digest=digest,
        rejects=tuple(rejects),
    )


def plan_of_dataset(manifest: Manifest, recordings: pa.Table, digest: str) -> Plan:
    """The plan by which a dataset was made, of its table of recordings, or of some columns."""
    return Plan(
        config=manifest.config,
        seed=manifest.seed,
        recordings=recordings,
        shards=shard_counts(manifest),
        digest=digest,
        rejects=(),
    )


def shard_counts(manifest: Manifest) -> dict[str, int]:
    return {name: split.shards for name, split in manifest.splits.items()}


def windows_by_split(recordings: pa.Table) -> dict[str, int]:
    """The sum of `windows` of a table of `tables.RECORDINGS`, for each split."""
    split, windows = recordings["split"], recordings["windows"]
    own = {name: windows.filter(pc.equal(split, name)) for name in SPLITS}
    return {name: pc.sum(counts).as_py() or 0 for name, counts in own.items()}


def plan_digest(
    config: FeatureConfig, seed: int, shards: Mapping[str, int], recordings: pa.Table
) -> str:
    """The digest of a plan, whose parts these are."""
    columns = ["recording_id", "split", "path", "samples", "sample_rate", "channels", "windows"]
    rows = recordings.select(columns).to_pylist()
    numbers = [shards[split] for split in SPLITS]
    return sha256(canonical_json([config.to_dict(), seed, numbers, rows]))


def check_rejects(
    rows: Iterable[Mapping[str, Any]], rejects: Sequence[Reject], options: PlanOptions
) -> None:
    """Raises `TooManyRejectsError`, naming the first offenders, where too much was rejected.

    A recording counts as rejected when nothing of it is left; `rows` are of `tables.RECORDINGS`,
    and need no split.
    """
    lost = Counter(reject.recording_id for reject in rejects if reject.stage is RejectStage.WINDOW)
    recordings = {
        reject.recording_id
        for reject in rejects
        if reject.stage is RejectStage.LIST and not reject.reason.is_notice
    }
    used = set()
    for row in rows:
        recordings.add(row["recording_id"])
        if row["status"] != "rejected" and not 0 < row["windows"] == lost[row["recording_id"]]:
            used.add(row["recording_id"])
    rejected = sorted(recordings - used, key=str.encode)
    allowed = options.allowed_rejects(len(recordings))
    if len(rejected) <= allowed and used:
        return
    if used:
        head = f"{allowed} may be rejected (max_rejects)"
        remedy = "repair or remove them, or allow more"
    else:
        head, remedy = "nothing is left", "repair or replace them"
    if any(each.reason is RejectReason.LABELS_MISSING for each in rejects):
        remedy += "; recordings without labels serve for features=log_mel,waveform"
    shown = [f"  {printable(name)}: {_why(name, rejects)}" for name in rejected[:_SHOWN_REJECTS]]
    if len(rejected) > _SHOWN_REJECTS:
        shown.append(f"  and {len(rejected) - _SHOWN_REJECTS} more")
    raise TooManyRejectsError(
        "\n".join(
            [
                f"{len(rejected)} of {len(recordings)} recordings cannot be used, {head}:",
                *shown,
                remedy,
            ]
        )
    )


def _why(recording_id: str, rejects: Sequence[Reject]) -> str:
    """What is wrong with a recording: with the whole, or else with its first bad part."""
    own = [reject for reject in rejects if reject.recording_id == recording_id]
    own.sort(key=lambda reject: (_SEVEREST.index(reject.stage), reject.position or 0))
    return f"{own[0].reason}: {own[0].message}"


def _planned_row(
    inspected: Inspected,
    splits: Mapping[str, str],
    config: FeatureConfig,
    unchanged: Collection[str],
) -> dict[str, Any]:
    """A row of `PLANNED`."""
    recording_id = inspected.source.recording_id
    row = {
        **inspected.row,
        "split": splits.get(recording_id),
        "version": inspected.version,
        "inputs": inspected.inputs if inspected.accepted else (),
        "unchanged": recording_id in unchanged,
    }
    if inspected.labels:
        row |= {
            "labels_sha256": inspected.labels.sha256,
            "labels_nbytes": inspected.labels.nbytes,
        }
    if inspected.header and inspected.accepted:
        row |= dataclasses.asdict(inspected.header)
        row["dropped_samples"] = _dropped_samples(row, config)
    return row


def _dropped_samples(row: Mapping[str, Any], config: FeatureConfig) -> int:
    """How many samples, at the feature rate, lie in no window."""
    length = config.resampled_length(row["samples"], row["sample_rate"])
    windows = row["windows"]
    end_frame = (windows - 1) * config.stride_frames + config.window_frames if windows else 0
    return max(0, length - end_frame * config.hop_length)


def planned_splits(plan: Plan) -> dict[str, SplitSummary]:
    """The size of each split, before any of its windows is rejected."""
    splits = plan.recordings["split"].to_pylist()
    return {
        split: SplitSummary(plan.shards[split], plan.windows[split], splits.count(split))
        for split in SPLITS
    }
