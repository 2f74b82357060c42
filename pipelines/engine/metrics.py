"""What a run counts and times, in Beam's metrics, which every engine keeps.

Counters add up; distributions have a count, a sum and extremes. Work that an engine does twice may
be counted twice.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.metrics.execution import MetricResult
from apache_beam.runners.runner import PipelineResult

from pipelines.recordings.inspection import Inspected
from pipelines.writing.shard_writer import Effort, WrittenShard
from schemas.rejects import Reject

_NAMESPACES = ("recordings", "rejects", "notices", "shards", "windows", "bytes", "milliseconds")
"""Engines have metrics of their own beside these."""

_PARTS = (("count", sum), ("sum", sum), ("min", min), ("max", max))


@contextlib.contextmanager
def timed(stage: str) -> Iterator[None]:
    """Adds the milliseconds that the block takes to those of a stage."""
    started = time.perf_counter()
    yield
    _milliseconds(stage, time.perf_counter() - started)


def count_rejects(rejects: Iterable[Reject]) -> None:
    """Counts rejects by reason, and apart from them those that are notices."""
    for reject in rejects:
        Metrics.counter("notices" if reject.reason.is_notice else "rejects", reject.reason).inc()


def count_inspected(inspected_in: tuple[Inspected, float]) -> Inspected:
    """Counts a recording, its rejects and the seconds that inspecting it took; hands it on."""
    inspected, seconds = inspected_in
    Metrics.counter("recordings", "accepted" if inspected.accepted else "rejected").inc()
    count_rejects(inspected.rejects)
    _milliseconds("inspect", seconds)
    return inspected


def count_written(written_with: tuple[Sequence[WrittenShard], Effort]) -> Sequence[WrittenShard]:
    """Counts one shard, which is written in each file format, and the effort; hands it on."""
    written, effort = written_with
    for each in written:
        outcome = "kept" if each.kept else "written"
        Metrics.counter("shards", outcome).inc()
        Metrics.counter("bytes", outcome).inc(each.report.nbytes)
    # Each file format tells the same of its windows.
    report = written[0].report
    count_rejects(report.rejects)
    if all(each.kept for each in written):
        Metrics.counter("windows", "kept").inc(report.windows)
        return written
    Metrics.counter("windows", "written").inc(report.windows)
    Metrics.counter("windows", "copied").inc(effort.copied_windows)
    Metrics.counter("bytes", "read").inc(effort.read_bytes)
    _milliseconds("read", effort.read_seconds)
    _milliseconds("compute", effort.compute_seconds)
    _milliseconds("write", effort.write_seconds)
    return written


def _milliseconds(stage: str, seconds: float) -> None:
    Metrics.distribution("milliseconds", stage).update(round(1e3 * seconds))


def metrics_of(result: PipelineResult) -> dict[str, Any]:
    """What was counted and timed, by `NAMESPACE_NAME`: an integer, or a distribution's parts.

    What several steps have by one name is merged.
    """
    queried = result.metrics().query(MetricsFilter().with_namespaces(_NAMESPACES))
    counts = _by_name(queried["counters"])
    times = _by_name(queried["distributions"])
    found = {name: sum(values) for name, values in counts.items()} | {
        name: {part: merge(getattr(each, part) for each in values) for part, merge in _PARTS}
        for name, values in times.items()
    }
    return dict(sorted(found.items()))


def _by_name(results: Iterable[MetricResult]) -> Mapping[str, list[Any]]:
    """What each metric came to in each step that has it."""
    values: defaultdict[str, list[Any]] = defaultdict(list)
    for each in results:
        if each.result is not None:
            values[f"{each.key.metric.namespace}_{each.key.metric.name}"].append(each.result)
    return values
