"""What a run made, or would make."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schemas.manifest import SplitSummary

if TYPE_CHECKING:
    from pipelines.build_folder import Action


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reuse:
    """How a dataset differs from an earlier one, and what it took from it.

    Attributes:
        dataset: The folder or URL of the earlier dataset.
        same_plan: Whether both have the same windows in the same shards.
        unchanged: How many recordings are the same in both.
        changed: How many are in both, with other audio or other labels.
        added: How many only the new one has in a split.
        removed: How many only the earlier one has in a split: they are gone, or rejected now.
        moved: How many of those in both are in another split now.
        unchanged_windows: How many windows the unchanged recordings have.
        windows: How many of them this run copied rather than computed. None for a dry run, where
            an earlier run had written every shard, or if the engine does not say.

    Examples:
        >>> from pipelines import PlanOptions, PreprocessOptions, preprocess
        >>> from schemas import PRESETS
        >>> plan = PlanOptions(features=PRESETS["librosa"])
        >>> new = {"input_root": "musicnet", "plan": plan, "reuse": "dataset"}
        >>> result = preprocess(PreprocessOptions(output="new", **new))
        >>> result.reuse.unchanged, result.reuse.windows, result.reuse.same_plan
        (7, 7, True)
    """

    dataset: str
    same_plan: bool
    unchanged: int
    changed: int
    added: int
    removed: int
    moved: int
    unchanged_windows: int
    windows: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreprocessResult:
    """What `preprocess` made, and how long it took.

    Attributes:
        output: The folder or URL of the dataset.
        fingerprint: The digest of its data.
        splits: The number of shards, windows and recordings of each split.
        formats: The file formats of the shards.
        bytes: The size of all files but `dataset.json`.
        rejects: How often something was rejected, by the code of its reason.
        notices: How often something was only noticed, by the code of its reason.
        recordings_of_unknown_works: How many recordings in a split play a work that the metadata
            do not name.
        shards_written: How many shard files this run wrote.
        shards_kept: How many shard files an earlier run had finished.
        reuse: What was taken from an earlier dataset; None if none was named.
        audio_seconds: The duration of all recordings that were not rejected.
        wall_seconds: How long the run took.
        metrics: What the engine counted and timed, by `NAMESPACE_NAME`: an integer, or the count,
            sum, min and max of milliseconds. Empty if the engine does not say.

    Examples:
        >>> from pipelines import PlanOptions, PreprocessOptions, PreprocessResult, preprocess
        >>> from schemas import PRESETS
        >>> plan = PlanOptions(features=PRESETS["librosa"])
        >>> result = preprocess(PreprocessOptions(input_root="musicnet", output="new", plan=plan))
        >>> isinstance(result, PreprocessResult), result.formats, result.shards_kept
        (True, ('tfrecord',), 0)
    """

    output: str
    fingerprint: str
    splits: Mapping[str, SplitSummary]
    formats: tuple[str, ...]
    bytes: int
    rejects: Mapping[str, int]
    notices: Mapping[str, int]
    recordings_of_unknown_works: int
    shards_written: int
    shards_kept: int
    reuse: Reuse | None
    audio_seconds: float
    wall_seconds: float
    metrics: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class JobFile:
    """Beam wrote a job file only, as `--template_location` asks for; nothing was made yet.

    Attributes:
        output: The folder or URL of the dataset that the job will make.

    Examples:
        >>> from pipelines import JobFile
        >>> JobFile("gs://bucket/out").output
        'gs://bucket/out'
    """

    output: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class DryRun:
    """What `preprocess` would make; the fields are those of `PreprocessResult`.

    `action` says what a run would do with what is in the output. `bytes` is an estimate.
    """

    output: str
    action: Action
    splits: Mapping[str, SplitSummary]
    formats: tuple[str, ...]
    bytes: int
    rejects: Mapping[str, int]
    notices: Mapping[str, int]
    recordings_of_unknown_works: int
    reuse: Reuse | None
    audio_seconds: float
