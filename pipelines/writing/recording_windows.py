"""All windows of one recording, without a run: from its files alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from pipelines.audio.decoded import removing_decoded
from pipelines.planning.plan import PlanOptions, make_plan
from pipelines.recordings.source import Source
from pipelines.writing.label_writer import inspect_and_keep
from pipelines.writing.window_cutter import WindowCutter
from schemas import FeatureConfig, Window
from schemas.mel import MelTransform
from schemas.rejects import Reject
from schemas.shards import SPLITS


def recording_windows(
    source: Source, *, input_root: str, features: FeatureConfig
) -> Iterator[Window | Reject]:
    """The windows of a recording, from its first frame to its last, as a run would make them.

    What cannot be used is a `Reject`: the recording, its labels or single windows. One window is in
    memory at a time.
    """
    with tempfile.TemporaryDirectory() as scratch, removing_decoded(scratch):
        inspected = inspect_and_keep(source, input_root, scratch, features)
        yield from inspected.rejects
        if not (inspected.accepted and inspected.row["windows"]):
            return
        # One shard of any size: nothing is written.
        plan = make_plan([inspected], [], PlanOptions(features=features, shard_megabytes=1e6))
        transform = MelTransform.from_config(features)
        cutter = WindowCutter(transform, input_root=input_root, build_root=scratch)
        planned = [
            each for split in SPLITS if plan.shards[split] for each in plan.shard_windows(split, 0)
        ]
        for cut in cutter.cut(plan, sorted(planned, key=lambda each: each.first_frame)):
            yield cut if isinstance(cut, Reject) else cut.window
