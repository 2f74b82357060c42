"""The public transforms inside a pipeline of one's own."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest

from pipelines import MakeWindows, ReadRecordings, RunConfig, WriteShards
from pipelines.engine import BEAM_RUNNERS, LOCAL_RUNNER
from pipelines.engine.transforms import Spread
from pipelines.planning.plan import PlanOptions
from pipelines.recordings.source import Source
from pipelines.verification.verify import verify
from schemas import Dataset, Window
from schemas.rejects import Reject
from tests.support.processes import ROOT
from tests.support.reference import windows_of
from tests.support.tiny_musicnet import CONFIG, write_tiny_musicnet


def is_of_training(source: Source) -> bool:
    return source.group == "train"


def write_window(window: Window, folder: str) -> None:
    name = f"{window.recording_id}-{window.first_frame}.npz"
    arrays: dict[str, Any] = {"valid": window.valid_frames, **window.features}
    np.savez(Path(folder, name), **arrays)


def write_reject(reject: Reject, folder: str) -> None:
    text = json.dumps(dataclasses.asdict(reject))
    Path(folder, f"{reject.recording_id}.json").write_text(text)


def test_windows_are_elements_of_a_pipeline(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    with beam.Pipeline(BEAM_RUNNERS[LOCAL_RUNNER]) as pipeline:
        listed = pipeline | ReadRecordings(str(tiny_root))
        made = listed.recordings | beam.Filter(is_of_training) | MakeWindows(str(tiny_root), CONFIG)
        _ = made.windows | beam.Map(write_window, str(tmp_path))
    expected = [
        window
        for window in windows_of(Dataset(tiny_dataset), "tfrecord")
        if (tiny_root / f"train_data/{window.recording_id}.wav").exists()
    ]
    assert len(expected) == len(list(tmp_path.iterdir())) > 3
    for window in expected:
        with np.load(tmp_path / f"{window.recording_id}-{window.first_frame}.npz") as found:
            assert found["valid"] == window.valid_frames
            for name, array in window.features.items():
                np.testing.assert_array_equal(found[name], array)


def test_what_is_rejected_is_an_element_too(tmp_path: Path) -> None:
    root = write_tiny_musicnet(tmp_path / "in")
    first = sorted((root / "train_data").iterdir())[0]
    first.write_bytes(b"not audio")
    (root / "train_data/folder.wav").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    with beam.Pipeline(BEAM_RUNNERS[LOCAL_RUNNER]) as pipeline:
        listed = pipeline | ReadRecordings(str(root))
        made = listed.recordings | MakeWindows(str(root), CONFIG)
        rejects = (listed.rejects, made.rejects) | beam.Flatten()
        _ = rejects | beam.Map(write_reject, str(out))
    told = {path.stem: json.loads(path.read_text())["reason"] for path in out.iterdir()}
    assert told == {first.stem: "audio_not_wav", "folder": "is_folder"}


def test_a_dataset_of_chosen_recordings_is_written(tiny_root: Path, tmp_path: Path) -> None:
    run = RunConfig(
        input_root=str(tiny_root),
        output=str(tmp_path / "out"),
        plan=PlanOptions(features=CONFIG, shard_megabytes=0.1),
        formats=("hdf5",),
    )
    with beam.Pipeline(BEAM_RUNNERS[LOCAL_RUNNER]) as pipeline:
        listed = pipeline | ReadRecordings(run.input_root)
        chosen = listed.recordings | beam.Filter(is_of_training)
        _ = chosen | WriteShards(run, listed.rejects) | beam.Map(check_fingerprint, run.output)
    assert verify(run.output).defects == ()
    dataset = Dataset(run.output)
    assert dataset.manifest.splits["test"].recordings == 0
    assert dataset.manifest.splits["train"].recordings > 0


def doubled(number: int, *, most: int) -> int:
    """A step, which the engine may run on threads."""
    if number > most:
        raise ValueError(f"{number} is too large")
    time.sleep(0.01 / (1 + number))
    return 2 * number


@pytest.mark.parametrize("threads", [1, 3])
def test_elements_are_computed_on_threads_in_their_order(threads: int) -> None:
    spread = Spread(doubled, "", threads=threads)
    for _ in range(2):
        spread.start_bundle()
        given = [each for number in range(20) for each in spread.process(number, most=99)]
        assert len(given) >= 20 - 2 * threads
        given += [each.value for each in spread.finish_bundle()]
        assert given == [2 * number for number in range(20)]
    spread.teardown()


def test_an_error_on_a_thread_is_that_of_the_pipeline() -> None:
    spread = Spread(doubled, "", threads=3)
    spread.start_bundle()
    for number in range(9):
        spread.process(number, most=7)
    with pytest.raises(ValueError, match="8 is too large"):
        list(spread.finish_bundle())
    spread.process(1, most=7)
    spread.start_bundle()
    assert list(spread.finish_bundle()) == [], "nothing of the bundle that failed"
    spread.teardown()


def test_the_example_makes_a_dataset_and_a_table(tmp_path: Path) -> None:
    root = write_tiny_musicnet(tmp_path / "in")
    table = root / "musicnet_metadata.csv"
    lines = table.read_text().splitlines(keepends=True)
    solo = [line.replace('"Solo"', '"Solo Piano"') for line in lines[:4]]
    table.write_text("".join([*solo, *lines[4:]]))
    run = [sys.executable, "examples/own_pipeline.py", str(root), str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*run, str(tmp_path / "levels")], cwd=ROOT, env=environment, check=True)
    dataset = Dataset(tmp_path / "out")
    assert dataset.recordings()["recording_id"].to_pylist() == ["101", "102", "103"]
    header, *rows = (tmp_path / "levels-00000-of-00001.csv").read_text().splitlines()
    assert header == "id,frame,level"
    levels = {
        (window.recording_id, window.first_frame): window.features["log_mel"][: window.valid_frames]
        for window in windows_of(dataset, "tfrecord")
    }
    assert len(rows) == len(levels) == 3
    for name, frame, level in (row.split(",") for row in rows):
        assert abs(float(level) - levels[name, int(frame)].mean()) < 0.006


def check_fingerprint(fingerprint: str, output: str) -> None:
    assert Dataset(output).manifest.fingerprint == fingerprint


def test_a_folder_in_another_layout_is_an_error(tmp_path: Path) -> None:
    pipeline = beam.Pipeline(BEAM_RUNNERS[LOCAL_RUNNER])
    _ = pipeline | ReadRecordings(str(tmp_path))
    with pytest.raises(Exception, match="holds no files; choose a folder with recordings"):
        pipeline.run()
