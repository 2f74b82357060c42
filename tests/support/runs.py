"""The options of a run on a tiny input."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pipelines.planning.plan import PlanOptions
from pipelines.preprocessing import PreprocessOptions, preprocess
from pipelines.results import PreprocessResult
from tests.support.tiny_musicnet import CONFIG

PLAN = PlanOptions(features=CONFIG, shard_megabytes=0.1)


def options(
    root: Path, output: Path, *, plan: PlanOptions = PLAN, **changed: Any
) -> PreprocessOptions:
    made = PreprocessOptions(
        input_root=str(root), output=str(output), plan=plan, formats=("tfrecord", "hdf5")
    )
    return dataclasses.replace(made, **changed)


def made(options: PreprocessOptions) -> PreprocessResult:
    """What a run made, which must not be a job file."""
    result = preprocess(options)
    assert isinstance(result, PreprocessResult)
    return result
