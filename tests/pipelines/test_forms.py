"""The same recordings in other forms, made into datasets."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from pipelines.planning.plan import PlanOptions
from pipelines.preprocessing import PreprocessOptions, preprocess
from pipelines.verification.verify import verify
from schemas import Dataset
from tests.support.songs import write_songs
from tests.support.tiny_musicnet import CONFIG


def made(root: Path, out: Path, **options: Any) -> Dataset:
    plan = PlanOptions(**{"features": CONFIG, "shard_megabytes": 0.1, **options})
    preprocess(PreprocessOptions(input_root=str(root), output=str(out), plan=plan))
    assert verify(str(out)).defects == ()
    return Dataset(out)


def windows_of(dataset: Dataset) -> dict[tuple[str, str, int], Any]:
    found = {}
    for split, summary in dataset.manifest.splits.items():
        for position in range(summary.windows):
            window = dataset.window(split, position)
            found[split, window.recording_id, window.first_frame] = window.features
    return found


def assert_same(found: Dataset, expected: Dataset) -> None:
    windows, others = windows_of(found), windows_of(expected)
    assert windows.keys() == others.keys()
    assert others
    for key, features in others.items():
        for name, values in features.items():
            np.testing.assert_array_equal(windows[key][name], values)


@pytest.fixture(scope="module")
def integers(tiny_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny recordings with samples of 16 bits, which all lossless formats hold."""
    root = tmp_path_factory.mktemp("forms") / "in"
    shutil.copytree(tiny_root, root)
    for path in root.rglob("*.wav"):
        samples, rate = soundfile.read(path, dtype="float32")
        soundfile.write(path, np.rint(samples * 32_767).astype(np.int16), rate)
    return root


@pytest.fixture(scope="module")
def expected(integers: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made(integers, tmp_path_factory.mktemp("expected") / "out")


@pytest.mark.parametrize("suffix", ["flac", "aiff", "w64", "caf"])
def test_lossless_formats_give_the_same_windows(
    suffix: str, integers: Path, expected: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(integers, tmp_path / "in")
    for path in (tmp_path / "in").rglob("*.wav"):
        soundfile.write(path.with_suffix(f".{suffix}"), *soundfile.read(path, dtype="int16"))
        path.unlink()
    assert_same(made(tmp_path / "in", tmp_path / "out"), expected)


def test_musicnet_gives_the_same_windows_at_any_depth(
    integers: Path, expected: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(integers, tmp_path / "in/musicnet/musicnet")
    shutil.move(tmp_path / "in/musicnet/musicnet/musicnet_metadata.csv", tmp_path / "in")
    assert_same(made(tmp_path / "in", tmp_path / "out"), expected)


def test_a_folder_of_songs_becomes_a_dataset(tmp_path: Path) -> None:
    write_songs(tmp_path / "in")
    config = dataclasses.replace(CONFIG, features=("log_mel", "waveform"))
    dataset = made(tmp_path / "in", tmp_path / "out", features=config, works="folders")
    rows = dataset.recordings().to_pylist()
    assert [row["recording_id"] for row in rows] == [
        f"album {number // 2}/{number}" for number in range(6)
    ]
    by_album: dict[str, set[str]] = {}
    for row in rows:
        by_album.setdefault(row["recording_id"][:7], set()).add(row["split"])
    assert sorted(split for splits in by_album.values() for split in splits) == [
        "test",
        "train",
        "validation",
    ]
    assert [row["message"] for row in dataset.rejects().to_pylist()] == ["cover.jpg: is not used"]


def test_more_workers_and_another_try_give_the_same_bytes(tmp_path: Path) -> None:
    write_songs(tmp_path / "in")
    config = dataclasses.replace(CONFIG, features=("log_mel",))
    plan = PlanOptions(features=config)
    for name, workers in (("a", 1), ("b", 2)):
        out = str(tmp_path / name)
        preprocess(
            PreprocessOptions(
                input_root=str(tmp_path / "in"), output=out, plan=plan, workers=workers
            )
        )
    for path in sorted((tmp_path / "a").rglob("*.*")):
        assert (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes() == path.read_bytes()


def test_midi_files_beside_recordings_are_their_labels(tmp_path: Path) -> None:
    write_songs(tmp_path / "in")
    for path in (tmp_path / "in").rglob("[0-9].*"):
        note = 57 + int(path.stem)
        track = mido.MidiTrack(
            [
                mido.Message("program_change", program=40 + int(path.stem)),
                mido.Message("note_on", note=note, time=480),
                mido.Message("note_off", note=note, time=960),
            ]
        )
        mido.MidiFile(tracks=[track]).save(path.with_suffix(".mid"))
    features = ("log_mel", "notes", "onsets", "instruments")
    config = dataclasses.replace(CONFIG, features=features)
    dataset = made(tmp_path / "in", tmp_path / "out", features=config)
    rate = CONFIG.sample_rate / CONFIG.hop_length
    for (_, name, first), window in windows_of(dataset).items():
        frames = np.flatnonzero(window["notes"][:, 57 + int(name[-1])]) + first
        assert window["notes"].sum() == len(frames)
        programs = window["notes"] * np.uint8(41 + int(name[-1]))
        np.testing.assert_array_equal(window["instruments"], programs)
        assert len(frames) == 0 or (frames[0] >= 0.5 * rate - 1 and frames[-1] <= 1.5 * rate)
    assert sum(window["onsets"].sum() for window in windows_of(dataset).values()) == 6
