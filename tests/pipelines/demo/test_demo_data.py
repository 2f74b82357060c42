from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from pipelines.demo.data import note_value, perform, write_demo_data
from pipelines.demo.scores import CATALOG, Excerpt, read_score
from pipelines.demo.synthesis import SAMPLE_RATE
from pipelines.errors import PipelineError
from pipelines.recordings.labels import degenerate_count, parse_labels
from pipelines.recordings.listing import list_sources

EVERY_EXCERPT = pytest.mark.parametrize(
    "excerpt", CATALOG, ids=lambda excerpt: str(excerpt.recording_id)
)
PRELUDE = next(excerpt for excerpt in CATALOG if excerpt.catalog_name == "BWV846")


def wav_path(root: Path, excerpt: Excerpt) -> Path:
    return root / f"{excerpt.split}_data" / f"{excerpt.recording_id}.wav"


def labels(root: Path, excerpt: Excerpt) -> list[dict[str, Any]]:
    path = root / f"{excerpt.split}_labels" / f"{excerpt.recording_id}.csv"
    return parse_labels(path.read_bytes(), where=str(path))[0].to_pylist()


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_layout_is_that_of_musicnet(demo_root: Path) -> None:
    expected = {"musicnet_metadata.csv"}
    for excerpt in CATALOG:
        expected.add(f"{excerpt.split}_data/{excerpt.recording_id}.wav")
        expected.add(f"{excerpt.split}_labels/{excerpt.recording_id}.csv")
    assert set(digests(demo_root)) == expected
    sources, rejects = list_sources(str(demo_root))
    assert not rejects
    assert all(source.labels_path and source.metadata for source in sources)


def test_the_catalog_has_quartets_keyboards_and_disjoint_splits() -> None:
    ids = [excerpt.recording_id for excerpt in CATALOG]
    assert len(set(ids)) == len(ids) >= 10
    assert sum(excerpt.split == "test" for excerpt in CATALOG) == 3
    assert {excerpt.split for excerpt in CATALOG} == {"train", "test"}
    assert {"String Quartet", "Solo Piano"} <= {excerpt.ensemble for excerpt in CATALOG}
    training = {(e.composer, e.composition) for e in CATALOG if e.split == "train"}
    assert 4 < len(training) < sum(excerpt.split == "train" for excerpt in CATALOG)


@EVERY_EXCERPT
def test_a_wav_is_mono_float32_and_lasts_30_seconds_or_more(
    demo_root: Path, excerpt: Excerpt
) -> None:
    path = wav_path(demo_root, excerpt)
    header = path.read_bytes()[:36]
    assert header[:4] + header[8:16] == b"RIFFWAVEfmt "
    encoding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", header[20:36])
    assert (encoding, channels, rate, bits) == (3, 1, 44_100, 32)
    samples, _ = soundfile.read(path, dtype="float32")
    assert len(samples) >= 30 * SAMPLE_RATE
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() == pytest.approx(10 ** (-3 / 20), abs=1e-3)
    longest_silence = np.diff(np.flatnonzero(samples), prepend=-1, append=len(samples)).max()
    assert longest_silence < 8


@EVERY_EXCERPT
def test_labels_lie_in_the_recording(demo_root: Path, excerpt: Excerpt) -> None:
    samples = soundfile.info(wav_path(demo_root, excerpt)).frames
    rows = labels(demo_root, excerpt)
    assert len(rows) > 100
    for row in rows:
        assert 0 <= row["start_time"] < row["end_time"] < samples
        assert row["instrument"] in excerpt.instruments
        assert 21 <= row["note"] <= 108
        assert row["start_beat"] >= 0 < row["end_beat"]
    assert {row["instrument"] for row in rows} == set(excerpt.instruments)


def test_label_files_are_written_as_musicnet_writes_them(demo_root: Path) -> None:
    path = demo_root / "train_labels" / f"{PRELUDE.recording_id}.csv"
    header, first, *_ = path.read_text().splitlines()
    assert header == "start_time,end_time,instrument,note,start_beat,end_beat,note_value"
    assert first.endswith(",1,60,0.0,1.9,Half")
    assert degenerate_count(parse_labels(path.read_bytes(), where=str(path))[0]) == 0


def test_metadata_rows_match_the_recordings(demo_root: Path) -> None:
    path = demo_root / "musicnet_metadata.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["id"]) for row in rows] == [excerpt.recording_id for excerpt in CATALOG]
    for row, excerpt in zip(rows, CATALOG, strict=True):
        seconds = soundfile.info(wav_path(demo_root, excerpt)).duration
        assert abs(int(row["seconds"]) - seconds) <= 0.5
        assert (row["composer"], row["movement"]) == (excerpt.composer, excerpt.movement)
    header, first, *_ = path.read_text().splitlines()
    assert header == (
        '"id","composer","composition","movement","ensemble","source","transcriber",'
        '"catalog_name","seconds"'
    )
    assert first.startswith('9001,"Haydn","Quartet No 1 in B-flat major","1. Presto",')


def test_two_runs_write_the_same_bytes(demo_root: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pipelines.demo.data import write_demo_data as w; print(w(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "again")],
        env={**os.environ, "PYTHONHASHSEED": "271"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert digests(tmp_path / "again") == digests(demo_root)
    assert "recordings=13, train=10, test=3" in done.stdout
    assert "13/13" in done.stderr


@EVERY_EXCERPT
def test_labeled_notes_are_heard_from_their_onsets_on(demo_root: Path, excerpt: Excerpt) -> None:
    samples, _ = soundfile.read(wav_path(demo_root, excerpt), dtype="float32")
    rows = labels(demo_root, excerpt)
    fresh = [row for row in rows if row["note"] >= 55 and _is_fresh(row, rows)]
    assert len(fresh) > 10
    rises = [_rise_db(samples, row["start_time"], row["note"]) for row in fresh]
    assert np.median(rises) > 15
    assert np.mean(np.array(rises) > 6) > 0.9


def _is_fresh(row: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Whether nothing that sounded in the half second before has a partial where the note is."""
    start = row["start_time"]
    before = [r for r in rows if r["start_time"] < start < r["end_time"] + SAMPLE_RATE // 2]
    ratios = np.array([2 ** ((row["note"] - r["note"]) / 12) for r in before])
    return not np.any(np.abs(ratios - np.rint(ratios)) < 0.06 * ratios)


def _rise_db(samples: NDArray[np.float32], onset: int, pitch: int) -> float:
    """How much stronger the fundamental is in the 70 ms after the onset than in those before."""
    length = 3_072
    hz = 440 * 2 ** ((pitch - 69) / 12)
    probe = np.hanning(length) * np.exp(-2j * np.pi * hz * np.arange(length) / SAMPLE_RATE)
    before, after = (abs(probe @ samples[s : s + length]) for s in (onset - length, onset))
    return 20 * float(np.log10(after / before))


@EVERY_EXCERPT
def test_a_part_never_holds_one_pitch_twice(excerpt: Excerpt) -> None:
    held: dict[tuple[int, int], float] = {}
    for note in read_score(excerpt).notes:
        assert note.start >= held.get((note.part, note.pitch), 0.0) - 1e-6
        held[note.part, note.pitch] = note.start + note.length
    assert max(held.values()) <= excerpt.quarters


def test_ties_are_merged() -> None:
    reading = read_score(PRELUDE)
    first_bar = [(note.pitch, note.start, note.length) for note in reading.notes if note.start < 1]
    assert first_bar == [
        (60, 0.0, 2.0),
        (64, 0.25, 1.75),
        (67, 0.5, 0.25),
        (72, 0.75, 0.25),
    ]
    assert (reading.beat, reading.bar, reading.first_bar) == (1.0, 4.0, 0.0)


def test_an_excerpt_may_start_later_in_its_score() -> None:
    whole = read_score(PRELUDE).notes
    later = read_score(dataclasses.replace(PRELUDE, first_quarter=6.0, quarters=10.0))
    expected = [note for note in whole if 6 <= note.start < 16]
    assert [note.pitch for note in later.notes] == [note.pitch for note in expected]
    assert later.notes[0].start == 0.0
    assert later.first_bar == 2.0


def test_the_performance_follows_the_beats() -> None:
    reading = read_score(PRELUDE)
    played = perform(PRELUDE, reading)
    for written, note in zip(reading.notes, played, strict=True):
        straight = 0.4 + written.start * 60 / PRELUDE.quarters_per_minute
        assert abs(note.start_sample / SAMPLE_RATE - straight) < 0.6
        assert written.pitch == note.pitch
    assert len({round(note.velocity, 3) for note in played}) > 20


@pytest.mark.parametrize(
    ("quarters", "name"),
    [
        (4.0, "Whole"),
        (3.0, "Dotted Half"),
        (1.0, "Quarter"),
        (0.99, "Quarter"),
        (0.75, "Dotted Eighth"),
        (1 / 3, "Triplet Eighth"),
        (1 / 6, "Triplet Sixteenth"),
        (0.125, "Thirty Second"),
    ],
)
def test_note_values_have_musicnets_names(quarters: float, name: str) -> None:
    assert note_value(quarters) == name


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("four years")
    with pytest.raises(PipelineError, match=r"is not empty.*name a new folder"):
        write_demo_data(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "four years"


def test_without_music21_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(PipelineError, match=r"pip install '\.\[demo\]'"):
        write_demo_data(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_can_be_repeated(demo_root: Path, tmp_path: Path) -> None:
    left = wav_path(tmp_path, CATALOG[0])
    left.parent.mkdir()
    left.write_bytes(b"of an older version")
    write_demo_data(tmp_path)
    assert left.read_bytes() == wav_path(demo_root, CATALOG[0]).read_bytes()
