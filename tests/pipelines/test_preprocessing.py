"""The whole run on a tiny input: against librosa, against itself, and after accidents."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from pipelines.errors import PipelineError
from pipelines.preprocessing import dry_run, preprocess
from pipelines.summary import outcome_lines
from pipelines.writing.shard_writer import write_shard
from schemas import Dataset
from schemas.errors import UnreadableFileError
from schemas.shards import SPLITS
from tests.support.reference import check_windows, digests, windows_of
from tests.support.runs import PLAN, made, options
from tests.support.tiny_musicnet import Tiny, write_tiny_musicnet

OTHER_ORDER = dataclasses.replace(PLAN, seed=1)


def test_every_window_is_the_slice_of_the_whole(tiny_root: Path, tiny_dataset: Path) -> None:
    check_windows(tiny_root, Dataset(tiny_dataset))


def test_tensorflow_alone_reads_the_same_arrays(tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    specs = dataset.config.specs()
    schema = {name: tf.io.FixedLenFeature([], tf.string) for name in [*specs, "recording_id"]}
    schema |= {
        name: tf.io.FixedLenFeature([], tf.int64) for name in ("first_frame", "valid_frames")
    }
    windows = windows_of(dataset, "hdf5")
    for split in SPLITS:
        paths = [str(tiny_dataset / name) for name in dataset.shards(split, "tfrecord")]
        for record in tf.data.TFRecordDataset(paths):
            parsed, window = tf.io.parse_single_example(record, schema), next(windows)
            assert parsed["recording_id"].numpy().decode() == window.recording_id
            assert parsed["first_frame"] == window.first_frame
            assert parsed["valid_frames"] == window.valid_frames
            for name, spec in specs.items():
                array = tf.reshape(tf.io.decode_raw(parsed[name], np.dtype(spec.dtype)), spec.shape)
                np.testing.assert_array_equal(array, window.features[name])
    assert next(windows, None) is None


def test_statistics_are_those_of_the_training_frames(tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    training = {
        row["recording_id"] for row in dataset.recordings().to_pylist() if row["split"] == "train"
    }
    frames = np.concatenate(
        [
            window.features["log_mel"][: window.valid_frames]
            for window in windows_of(dataset, "tfrecord")
            if window.recording_id in training
        ]
    ).astype(np.float64)
    statistics = dataset.manifest.statistics
    assert statistics is not None
    assert statistics.count == len(frames)
    np.testing.assert_allclose(statistics.mean, frames.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(statistics.std, frames.std(axis=0), rtol=1e-6)


def test_workers_and_root_folders_do_not_change_a_byte(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(tiny_root, tmp_path / "elsewhere" / "in")
    preprocess(options(moved, tmp_path / "out", workers=2))
    assert digests(tmp_path / "out") == digests(tiny_dataset)


def test_each_format_alone_has_the_bytes_it_has_beside_the_other(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    together = digests(tiny_dataset)
    for file_format, ending in (("tfrecord", ".tfrecord"), ("hdf5", ".h5")):
        out = tmp_path / file_format
        result = made(options(tiny_root, out, formats=(file_format,)))
        assert result.fingerprint == Dataset(tiny_dataset).manifest.fingerprint
        alone = digests(out)
        shards = [name for name in together if f"{ending}" in name]
        assert shards
        assert all(alone[name] == together[name] for name in shards)


def test_another_seed_is_another_order_of_the_same_windows(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    preprocess(options(tiny_root, tmp_path / "out", plan=OTHER_ORDER))
    first, second = (
        [(window.recording_id, window.first_frame) for window in windows_of(Dataset(root), "hdf5")]
        for root in (tiny_dataset, tmp_path / "out")
    )
    assert first != second
    assert sorted(first) == sorted(second)


def test_windows_with_nan_are_rejected_and_the_rest_is_kept(
    tiny_root: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    path = root / "train_data/103.wav"
    samples, rate = soundfile.read(path, dtype="float32")
    samples[30_000] = np.nan
    soundfile.write(path, samples, rate, subtype="FLOAT")
    result = made(options(root, tmp_path / "out"))
    dataset = Dataset(tmp_path / "out")
    rejects = dataset.rejects().to_pylist()
    assert result.rejects == {"not_finite": len(rejects)}
    assert {(each["recording_id"], each["reason"]) for each in rejects} == {("103", "not_finite")}
    refused = {each["position"] for each in rejects}
    config = dataset.config
    bad_frame = 30_000 // 2 / config.hop_length
    assert any(first <= bad_frame <= first + config.window_frames for first in refused)
    row = next(row for row in dataset.recordings().to_pylist() if row["recording_id"] == "103")
    kept = {window.first_frame for window in windows_of(dataset, "hdf5")
            if window.recording_id == "103"}  # fmt: skip
    assert row["status"] == "partial"
    assert kept | refused == {48 * number for number in range(row["windows"])}
    assert not kept & refused


def test_rejects_do_not_depend_on_where_the_input_lies(tiny_root: Path, tmp_path: Path) -> None:
    for place in ("one", "another/place"):
        root = shutil.copytree(tiny_root, tmp_path / place / "in")
        (root / "train_data/101.wav").write_bytes(b"not audio")
        (root / "train_data/102.wav").unlink()
        (root / "train_data/102.wav").symlink_to("nowhere")
        (root / "train_labels/103.csv").write_text("x,y")
        preprocess(options(root, tmp_path / place / "out"))
    found = Dataset(tmp_path / "one/out").rejects()["reason"].to_pylist()
    assert found == ["audio_not_wav", "audio_missing", "labels_malformed"]
    assert digests(tmp_path / "one/out") == digests(tmp_path / "another/place/out")


def test_recordings_of_which_nothing_is_left_count_as_refused(
    tiny_root: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    for path in sorted((root / "train_data").iterdir())[:4]:
        samples, rate = soundfile.read(path, dtype="float32")
        soundfile.write(path, np.full_like(samples, np.nan), rate, subtype="FLOAT", format="WAV")
    with pytest.raises(PipelineError, match="4 of 6 recordings cannot be used, 3 may be"):
        preprocess(options(root, tmp_path / "out"))
    assert not (tmp_path / "out/dataset.json").exists()


def test_audio_that_vanishes_during_a_run_is_no_reject(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")

    def write_without_audio(*arguments: Any) -> Any:
        shutil.rmtree(root / "train_data", ignore_errors=True)
        return write_shard(*arguments)

    monkeypatch.setattr("pipelines.engine.steps.write_shard", write_without_audio)
    with pytest.raises(UnreadableFileError, match=r"train_data/.*\.wav: no such file"):
        preprocess(options(root, tmp_path / "out"))


def test_audio_that_changes_during_a_run_is_never_published(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = shutil.copytree(tiny_root, tmp_path / "in"), tmp_path / "out"

    def write_and_change(*arguments: Any) -> Any:
        samples, rate = soundfile.read(root / "train_data/103.wav", dtype="float32")
        soundfile.write(root / "train_data/103.wav", samples / 2, rate, subtype="FLOAT")
        return write_shard(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.engine.steps.write_shard", write_and_change)
        with pytest.raises(PipelineError, match=r"103\.wav: was changed while it was being read"):
            preprocess(options(root, out))
    assert not (out / "dataset.json").exists()
    with pytest.raises(PipelineError, match="unfinished work of another run"):
        preprocess(options(root, out))
    preprocess(options(root, out, overwrite=True))
    check_windows(root, Dataset(out))


def test_samples_too_large_for_a_spectrum_are_rejected(tiny_root: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    path = root / "train_data/105.wav"
    samples, rate = soundfile.read(path, dtype="float32")
    soundfile.write(path, samples * np.float32(1e30), rate, subtype="FLOAT", format="WAV")
    preprocess(options(root, tmp_path / "out"))
    rejects = Dataset(tmp_path / "out").rejects().to_pylist()
    assert [(each["recording_id"], each["reason"]) for each in rejects] == [("105", "not_finite")]


def test_a_linked_folder_of_recordings_is_read(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    (root / "train_data").rename(tmp_path / "elsewhere")
    (root / "train_data").symlink_to(tmp_path / "elsewhere")
    preprocess(options(root, tmp_path / "out"))
    assert digests(tmp_path / "out") == digests(tiny_dataset)


def test_an_interrupted_run_goes_on_where_it_stopped(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise PipelineError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.engine.steps.publish", fail)
        with pytest.raises(PipelineError, match="the power went out"):
            preprocess(options(tiny_root, tmp_path / "out"))
    shards = [name for name in digests(tmp_path / "out") if name.endswith((".h5", ".tfrecord"))]
    damaged, unindexed = shards[0], shards[-1]
    (tmp_path / "out" / damaged).write_bytes(b"damaged")
    (tmp_path / "out" / f"{unindexed}.index.parquet").unlink()
    result = made(options(tiny_root, tmp_path / "out"))
    assert result.shards_written == 2
    assert result.shards_kept == len(shards) - 2
    metrics = result.metrics
    nbytes = sum((tmp_path / "out" / name).stat().st_size for name in shards)
    assert metrics["bytes_written"] + metrics["bytes_kept"] == nbytes
    windows = sum(split.windows for split in result.splits.values())
    assert metrics["windows_written"] + metrics["windows_kept"] == windows
    assert metrics["milliseconds_write"]["count"] == 2
    assert digests(tmp_path / "out") == digests(tiny_dataset)


def test_another_configuration_does_not_touch_unfinished_work(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.engine.steps.publish", lambda *arguments, **options: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            preprocess(options(tiny_root, out))
    before = digests(out)
    with pytest.raises(PipelineError, match=r"unfinished work of another run.*overwrite=True"):
        preprocess(options(tiny_root, out, plan=OTHER_ORDER))
    assert digests(out) == before
    preprocess(options(tiny_root, out, plan=OTHER_ORDER, overwrite=True))
    assert Dataset(out).manifest.seed == 1


def test_a_dataset_is_replaced_only_when_asked(tiny_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    preprocess(options(tiny_root, out, formats=("hdf5",)))
    before = digests(out)
    with pytest.raises(PipelineError, match="holds a dataset already; use overwrite=True"):
        preprocess(options(tiny_root, out, plan=OTHER_ORDER))
    assert digests(out) == before
    preprocess(options(tiny_root, out, plan=OTHER_ORDER, overwrite=True))
    assert Dataset(out).manifest.seed == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_other_things_is_left_alone(tiny_root: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(PipelineError, match=r"not empty and holds no dataset \(there is thesis"):
        preprocess(options(tiny_root, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_dry_run_says_what_would_be_made(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    result = dry_run(options(tiny_root, tmp_path / "out"))
    manifest = json.loads((tiny_dataset / "dataset.json").read_text())
    splits = {name: dataclasses.asdict(split) for name, split in result.splits.items()}
    assert splits == manifest["splits"]
    assert result.action == "make"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("run", [preprocess, dry_run])
def test_an_output_within_the_input_is_rejected(run: Callable[..., Any], tiny_root: Path) -> None:
    with pytest.raises(PipelineError, match="it lies within the input folder"):
        run(options(tiny_root, tiny_root / "out"))
    assert not (tiny_root / "out").exists()


@pytest.mark.parametrize("run", [preprocess, dry_run])
def test_a_setting_of_libsoxr_ends_a_run_before_it_begins(
    run: Callable[..., Any], tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOXR_USE_SIMD", "0")
    with pytest.raises(PipelineError, match="SOXR_USE_SIMD is set"):
        run(options(tiny_root, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_becomes_of_the_output(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.engine.steps.publish", lambda *arguments, **options: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            preprocess(options(tiny_root, out))
    before = digests(out)
    assert dry_run(options(tiny_root, out)).action == "continue"
    assert dry_run(options(tiny_root, out, overwrite=True)).action == "restart"
    for changed in ({"plan": OTHER_ORDER}, {"formats": ("hdf5",)}):
        with pytest.raises(PipelineError, match="unfinished work of another run"):
            dry_run(options(tiny_root, out, **changed))
    assert digests(out) == before
    preprocess(options(tiny_root, out))
    before = digests(out)
    with pytest.raises(PipelineError, match="holds a dataset already"):
        dry_run(options(tiny_root, out))
    assert dry_run(options(tiny_root, out, overwrite=True)).action == "replace"
    assert digests(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("works", [("", ""), ("A", "")])
def test_a_promise_that_needs_works_is_not_made_without(
    works: tuple[str, str], tmp_path: Path
) -> None:
    recordings = [Tiny("1", work=works[0]), Tiny("2", work="B"), Tiny("3", "test", work=works[1])]
    root = write_tiny_musicnet(tmp_path / "in", recordings)
    disjoint = dataclasses.replace(PLAN, test_split="work-disjoint")
    unknown = works.count("")
    for run in (preprocess, dry_run):
        with pytest.raises(PipelineError, match=rf"is unknown of {unknown} of 3, the first"):
            run(options(root, tmp_path / "out", plan=disjoint))
    own = dataclasses.replace(PLAN, splits={"1": "train", "2": "validation", "3": "test"})
    result = made(options(root, tmp_path / "out", plan=own))
    assert result.recordings_of_unknown_works == unknown
    assert result.notices == {"metadata_incomplete": unknown}
    assert result.rejects == {}
    assert f"recordings whose work is unknown: {unknown}; " in "\n".join(outcome_lines(result))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"formats": ("zarr",)}, "must be among tfrecord, hdf5"),
        ({"workers": 0}, "workers=0 must be an integer from 1 to 1024"),
        ({"workers": 1025}, "workers=1025 must be an integer from 1 to 1024"),
        ({"workers": 2.0}, r"workers=2\.0 must be an integer"),
        ({"runner": "NoRunner"}, "runner='NoRunner': "),
        ({"beam_arguments": ("--nonsense",)}, "unknown option '--nonsense'"),
    ],
)
def test_impossible_options_leave_nothing_behind(
    changed: dict[str, Any], told: str, tiny_root: Path, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=told):
        preprocess(options(tiny_root, tmp_path / "out", **changed))
    assert not (tmp_path / "out").exists()
