from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.metrics import Metrics

from pipelines.engine import LOCAL_RUNNER
from pipelines.engine.runner import run_pipeline
from pipelines.summary import effort_lines
from tests.support.runs import made, options
from tests.support.tiny_musicnet import Tiny, write_tiny_musicnet


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_counts_what_it_does(tiny_root: Path, tmp_path: Path, workers: int) -> None:
    out = tmp_path / "out"
    result = made(options(tiny_root, out, workers=workers))
    metrics = result.metrics
    windows = sum(split.windows for split in result.splits.values())
    shards = sum(split.shards for split in result.splits.values())
    recordings = sum(split.recordings for split in result.splits.values())
    assert metrics["windows_written"] == windows
    assert metrics["shards_written"] == result.shards_written == 2 * shards
    assert metrics["recordings_accepted"] == recordings
    files = [path for ending in ("*/*.tfrecord", "*/*.h5") for path in out.glob(ending)]
    assert metrics["bytes_written"] == sum(path.stat().st_size for path in files)
    assert metrics["bytes_read"] > 0
    for stage in ("read", "compute", "write"):
        times = metrics[f"milliseconds_{stage}"]
        assert times["count"] == shards
        assert 0 <= times["min"] <= times["max"] <= times["sum"]
    assert metrics["milliseconds_compute"]["sum"] < 1e3 * workers * 2 * result.wall_seconds
    assert metrics["milliseconds_inspect"]["count"] >= recordings


def test_notices_are_counted_apart_from_rejects(tmp_path: Path) -> None:
    root = write_tiny_musicnet(tmp_path / "in", [Tiny(name) for name in "123"])
    (root / "musicnet_metadata.csv").unlink()
    (root / "train_data/3.wav").write_bytes(b"")
    found = made(options(root, tmp_path / "out"))
    counted = {
        name: number
        for name, number in found.metrics.items()
        if name.startswith(("rejects_", "notices_"))
    }
    assert counted == {
        **{f"rejects_{code}": number for code, number in found.rejects.items()},
        **{f"notices_{code}": number for code, number in found.notices.items()},
    }
    assert {"rejects_audio_empty", "notices_metadata_missing"} <= set(counted)


def test_the_effort_of_a_run_is_told() -> None:
    stages = {"read": 1_000, "compute": 2_500, "write": 40}
    metrics = {f"milliseconds_{name}": {"sum": each} for name, each in stages.items()}
    told = "all threads of all workers together: 1.0 s reading, 2.5 s computing, 0.0 s writing"
    assert effort_lines(metrics) == [told]
    assert effort_lines({"shards_kept": 3}) == []


def count(number: int, name: str) -> int:
    Metrics.counter("rejects", name).inc()
    Metrics.distribution("milliseconds", name).update(number)
    return 10 * number


def test_what_several_steps_count_by_one_name_adds_up() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        step = pipeline | beam.Create([1, 2, 3]) | "First" >> beam.Map(count, "odd")
        _ = step | "Second" >> beam.Map(count, "odd")

    told = run_pipeline(build, runner=LOCAL_RUNNER, beam_arguments=())
    times = {"count": 6, "sum": 66, "min": 1, "max": 30}
    assert told == {"milliseconds_odd": times, "rejects_odd": 6}
