"""The steps of a run one after another, in this process."""

from __future__ import annotations

from pathlib import Path

from pipelines.planning.plan import Plan, PlanOptions, make_plan
from pipelines.recordings.listing import list_sources
from pipelines.writing.label_writer import inspect_and_keep
from pipelines.writing.window_cutter import CutWindow, WindowCutter
from schemas import FeatureConfig, Window
from schemas.mel import MelTransform
from schemas.shards import SPLITS


def plan_recordings(input_root: Path, build_root: Path, config: FeatureConfig) -> Plan:
    """Inspects the recordings, writes their labels and makes the plan."""
    sources, rejects = list_sources(str(input_root))
    inspected = [
        inspect_and_keep(source, str(input_root), str(build_root), config) for source in sources
    ]
    return make_plan(inspected, rejects, PlanOptions(features=config, shard_megabytes=1.0))


def cut_windows(plan: Plan, input_root: Path, build_root: Path) -> list[Window]:
    """Every window of the plan, shard by shard."""
    transform = MelTransform.from_config(plan.config)
    cutter = WindowCutter(transform, input_root=str(input_root), build_root=str(build_root))
    windows = []
    for split in SPLITS:
        for number in range(plan.shards[split]):
            for cut in cutter.cut(plan, plan.shard_windows(split, number)):
                assert isinstance(cut, CutWindow), cut
                windows.append(cut.window)
    return windows
