"""Every kind of bad input in one run: a row in rejects.parquet tells of each, the rest is kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.cli import main
from pipelines.planning.plan import PlanOptions
from pipelines.preprocessing import PreprocessOptions, preprocess
from pipelines.verification.verify import verify
from pipelines.writing.replay import replay
from schemas import Dataset
from tests.support.reference import windows_of
from tests.support.tiny_musicnet import CONFIG, Tiny, write_tiny_musicnet

SOUND = ["sound", "a b'c\"d", "line\nbreak", "Mädchen 少女", "100%", "[x]*?", "dots..."]
"""Ids that are names of files and nothing worse."""


def with_bytes(edit: Callable[[bytes], bytes]) -> Callable[[Path, Path], object]:
    """Changes the bytes of the audio."""
    return lambda audio, _: audio.write_bytes(edit(audio.read_bytes()))


def with_labels(edit: Callable[[str], str]) -> Callable[[Path, Path], object]:
    return lambda _, labels: labels.write_text(edit(labels.read_text()))


def add_note(start: str, end: str, note: str) -> Callable[[Path, Path], object]:
    return with_labels(lambda text: f"{text}{start},{end},1,{note},0.0,1.0,Quarter\n")


def put(value: float) -> Callable[[Path, Path], None]:
    """Puts a value into the middle of the samples."""

    def edit(audio: Path, _: Path) -> None:
        samples, rate = soundfile.read(audio, dtype="float32")
        samples[len(samples) // 2] = value
        soundfile.write(audio, samples, rate, subtype="FLOAT", format="WAV")

    return edit


def link_to(target: str) -> Callable[[Path, Path], None]:
    def edit(audio: Path, _: Path) -> None:
        audio.unlink()
        audio.symlink_to(target)

    return edit


def make_folder(audio: Path, _: Path) -> None:
    audio.unlink()
    audio.mkdir()


def make_pipe(audio: Path, _: Path) -> None:
    audio.unlink()
    os.mkfifo(audio)


def duplicate(audio: Path, _: Path) -> None:
    shutil.copy(audio, audio.parent.parent / "test_data" / audio.name)


def rename(name: bytes) -> Callable[[Path, Path], None]:
    return lambda audio, _: os.rename(audio, os.fsencode(audio.parent) + b"/" + name)


BAD = {
    "zero-bytes": (with_bytes(lambda data: b""), "audio_empty"),
    "header-only": (with_bytes(lambda data: data[:76] + bytes(4)), "audio_empty"),
    "cut": (with_bytes(lambda data: data[:-1_000]), "audio_truncated"),
    "claims-more": (
        with_bytes(lambda data: data[:76] + b"\xff\xff\xff\x7f" + data[80:]),
        "audio_truncated",
    ),
    "never-closed": (
        with_bytes(lambda data: data[:4] + bytes([8, 0, 0, 0]) + data[8:76] + bytes(4) + data[80:]),
        "audio_header_mismatch",
    ),
    "not-audio": (with_bytes(lambda data: b"once upon a time"), "audio_not_wav"),
    "damaged-header": (with_bytes(lambda data: data[:12] + bytes(60)), "audio_unreadable"),
    "nan": (put(np.nan), "not_finite"),
    "infinite": (put(-np.inf), "not_finite"),
    "enormous": (put(1e30), "not_finite"),
    "folder": (make_folder, "is_folder"),
    "pipe": (make_pipe, "audio_not_a_file"),
    "fails": (link_to("/proc/self/clear_refs"), "audio_unreadable"),
    "dangling": (link_to("nowhere.wav"), "audio_missing"),
    "circular": (link_to("circular.wav"), "audio_unreadable"),
    "no-labels": (lambda _, labels: labels.unlink(), "labels_missing"),
    "no-notes": (with_labels(lambda text: text.partition("\n")[0] + "\n"), None),
    "empty-labels": (with_labels(lambda text: ""), "labels_malformed"),
    "malformed-labels": (with_labels(lambda text: text + "a,b\n"), "labels_malformed"),
    "lacks-a-column": (
        with_labels(lambda text: text.replace("end_time", "stop")),
        "labels_malformed",
    ),
    "unknown-column": (
        with_labels(lambda text: text.replace("\n", ",1\n").replace("value,1", "value,velocity")),
        "labels_unknown_columns",
    ),
    "note-128": (add_note("10", "20", "128"), "note_out_of_range"),
    "note-below-0": (add_note("10", "20", "-1"), "note_out_of_range"),
    "late-note": (add_note("99999999", "99999999", "60"), "note_past_end"),
    "late-end": (add_note("10", "99999999", "60"), "note_end_past_end"),
    "endless-time": (add_note(str(2**62), str(2**63 - 1), "60"), "note_past_end"),
    "twice": (duplicate, "duplicate_id"),
    "no-metadata": (lambda *_: None, "metadata_missing"),
    "metadata-twice": (lambda *_: None, "metadata_duplicate"),
    "MP3": (
        lambda audio, _: soundfile.write(audio, np.zeros(9_000), 44_100, format="MP3"),
        "audio_not_wav",
    ),
    "1-Hz": (
        lambda audio, _: soundfile.write(audio, np.zeros(9_000), 1, format="WAV"),
        "audio_sample_rate",
    ),
    "not-utf-8": (rename(b"not-utf-8-\xff.wav"), "name_not_utf8"),
    "%" * 90: (lambda *_: None, "name_too_long"),
}
KEPT = {"no-notes", "nan", "infinite", "enormous", "unknown-column", "note-128", "note-below-0",
        "late-note", "late-end", "endless-time", "no-metadata", "metadata-twice"}  # fmt: skip
"""What is rejected of these is a window, a note or a column."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recordings = [Tiny(name, work=name) for name in [*SOUND, *BAD]]
    root = write_tiny_musicnet(
        tmp_path_factory.mktemp("bad") / "in", [*recordings, Tiny("test", group="test")]
    )
    for name, (spoil, _) in BAD.items():
        spoil(root / f"train_data/{name}.wav", root / f"train_labels/{name}.csv")
    metadata = root / "musicnet_metadata.csv"
    lines = [line for line in metadata.read_text().splitlines() if "no-metadata" not in line]
    again = [line for line in lines if "metadata-twice" in line]
    metadata.write_text("\n".join([*lines, *again]) + "\n")
    return root


@pytest.fixture(scope="module")
def dataset(root: Path) -> Dataset:
    out = root.parent / "out"
    plan = PlanOptions(features=CONFIG, shard_megabytes=1.0, max_rejects=1.0)
    preprocess(
        PreprocessOptions(
            input_root=str(root), output=str(out), plan=plan, formats=("tfrecord", "hdf5")
        )
    )
    return Dataset(out)


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_by_its_reason(name: str, dataset: Dataset) -> None:
    rejects = [
        each for each in dataset.rejects().to_pylist() if each["recording_id"].startswith(name)
    ]
    expected = BAD[name][1]
    assert {each["reason"] for each in rejects} == ({expected} if expected else set())
    assert all(each["message"] for each in rejects)
    rows = {row["recording_id"]: row for row in dataset.recordings().to_pylist()}
    windows = sum(window.recording_id == name for window in windows_of(dataset, "tfrecord"))
    if name in KEPT:
        rejected = sum(each["stage"] == "window" for each in rejects)
        assert 0 < windows == rows[name]["windows"] - rejected
        assert rows[name]["status"] == ("partial" if rejected else "ok")
    else:
        assert windows == 0
        assert name not in rows or rows[name]["status"] == "rejected"


def test_the_rest_is_kept_whatever_its_name(dataset: Dataset) -> None:
    rows = {row["recording_id"]: row for row in dataset.recordings().to_pylist()}
    assert [rows[name]["status"] for name in SOUND] == ["ok"] * len(SOUND)
    rejected = {each["recording_id"] for each in dataset.rejects().to_pylist()}
    assert not rejected & set(SOUND)
    assert verify(dataset.storage.root).defects == ()


def test_only_the_windows_concerned_are_rejected(dataset: Dataset) -> None:
    """The sample in the middle of 1.3 s is resampled sample 14,332, in the third window."""
    config = dataset.config
    for name in ("nan", "infinite", "enormous"):
        positions = [
            each["position"]
            for each in dataset.rejects().to_pylist()
            if each["recording_id"] == name
        ]
        assert 0 < len(positions) < 5
        assert 14_332 // config.hop_length // 48 * 48 in positions


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "metadata_missing"),
        (b"\xff\xfe", "metadata_malformed"),
        (b"a,b", "metadata_malformed"),
    ],
)
def test_a_run_without_metadata_says_so(
    data: bytes | None, reason: str, tiny_root: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    (root / "musicnet_metadata.csv").unlink()
    if data is not None:
        (root / "musicnet_metadata.csv").write_bytes(data)
    plan = PlanOptions(features=CONFIG)
    preprocess(PreprocessOptions(input_root=str(root), output=str(tmp_path / "out"), plan=plan))
    dataset = Dataset(tmp_path / "out")
    assert dataset.rejects()["reason"].to_pylist() == [reason]
    assert dataset.recordings()["status"].to_pylist() == ["ok"] * 6


def test_files_without_permission_are_rejected(tiny_root: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    (root / "train_data/101.wav").chmod(0)
    (root / "train_labels/103.csv").chmod(0)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG.to_dict()))
    command = [sys.executable, "-m", "pipelines", "preprocess", "--input", str(root),
               "--output", str(tmp_path / "out"), "--config", str(config)]  # fmt: skip
    if os.geteuid() == 0:
        # The superuser may read everything, unless it gives that up.
        if not shutil.which("setpriv"):
            pytest.skip("the superuser needs setpriv to lose its right to read everything")
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    rejects = Dataset(tmp_path / "out").rejects().to_pylist()
    assert [(each["recording_id"], each["reason"], each["message"]) for each in rejects] == [
        ("101", "audio_no_permission", "train_data/101.wav: no permission to read it"),
        ("103", "labels_no_permission", "train_labels/103.csv: no permission to read it"),
    ]


def test_a_reject_tells_nothing_of_where_the_input_lies(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the name of the folder is a part of the names within it."""
    monkeypatch.chdir(tmp_path)
    found = []
    for name in ("data", "a", "train_data", "elsewhere/in"):
        root = shutil.copytree(tiny_root, tmp_path / name)
        (root / "train_data/101.wav").write_bytes(b"")
        (root / "train_data/103.wav").unlink()
        (root / "train_data/103.wav").symlink_to("nowhere")
        preprocess(
            PreprocessOptions(
                input_root=name, output=f"out/{name}", plan=PlanOptions(features=CONFIG)
            )
        )
        found.append(Dataset(f"out/{name}").rejects().to_pylist())
    assert [each["message"] for each in found[0]] == [
        "train_data/101.wav: holds no bytes; copy it again",
        "train_data/103.wav: no such file",
    ]
    assert found == [found[0]] * 4


def test_a_folder_beside_a_recording_of_its_name_costs_nothing(
    tiny_root: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    (root / "test_data/101.wav").mkdir()
    plan = PlanOptions(features=CONFIG, max_rejects=0.0)
    preprocess(PreprocessOptions(input_root=str(root), output=str(tmp_path / "out"), plan=plan))
    assert Dataset(tmp_path / "out").rejects()["reason"].to_pylist() == ["is_folder"]


def spoilt(tiny_root: Path, tmp_path: Path, count: int) -> Path:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    for path in sorted((root / "train_data").iterdir())[:count]:
        path.write_bytes(b"not audio")
    return root


def preprocess_command(root: Path, out: Path, *more: str) -> list[str]:
    config = out.parent / "config.json"
    config.write_text(json.dumps(CONFIG.to_dict()))
    return ["preprocess", "--input", str(root), "--output", str(out), "--config", str(config),
            *more]  # fmt: skip


def test_an_aborted_run_names_the_offenders_and_how_to_look_at_them(
    tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = spoilt(tiny_root, tmp_path, 4), tmp_path / "out"
    assert main(preprocess_command(root, out)) == 1
    errors = capsys.readouterr().err
    told = errors[errors.index("error: ") :].splitlines()
    assert told[0] == (
        "error: 4 of 6 recordings cannot be used, 3 may be rejected (--max-rejects):"
    )
    assert told[1] == (
        "  101: audio_not_wav: train_data/101.wav: is not a WAV file: it begins with b'not '; "
        "convert it"
    )
    assert told[-1] == f"what was rejected: duet rejects {out}"
    assert not (out / "dataset.json").exists()

    assert main(["rejects", str(out)]) == 0
    listed = capsys.readouterr().out
    assert "rejected by a run that did not finish: 4; notices: 0\n" in listed
    assert f"duet rejects {out} --replay=101 --input {root}\n" in listed
    assert main(["rejects", str(out), "--replay", "101"]) == 1
    assert "101: windows: 0; rejected: 1" in capsys.readouterr().out

    shutil.copy(tiny_root / "train_data/101.wav", root / "train_data/101.wav")
    assert main(["rejects", str(out), "--replay", "101"]) == 0
    assert "rejected: 0" in capsys.readouterr().out
    assert main(preprocess_command(root, out)) == 0, "the same command goes on"


def test_how_much_may_be_rejected_is_the_users(tiny_root: Path, tmp_path: Path) -> None:
    root = spoilt(tiny_root, tmp_path, 1)
    assert main(preprocess_command(root, tmp_path / "a", "--max-rejects", "0")) == 1
    assert main(preprocess_command(root, tmp_path / "b")) == 0


def test_a_finished_run_lists_what_it_rejected(
    dataset: Dataset, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = dataset.storage.root
    assert main(["rejects", out, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rejects"]
    assert rows == dataset.rejects().to_pylist()
    assert main(["rejects", out]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) == len(rows) + 3, "a line each, though names hold line breaks"
    assert "--input ROOT" in text
    assert main(["rejects", out, "--replay", "nan"]) == 1
    assert "--replay needs --input ROOT" in capsys.readouterr().err
    assert main(["rejects", out, "--replay", "nan", "--input", str(root)]) == 1
    rejected = [row for row in rows if row["recording_id"] == "nan"]
    assert f"rejected: {len(rejected)}; notices: 0\n" in capsys.readouterr().out
    assert main(["rejects", out, "--replay", "absent", "--input", str(root)]) == 1
    assert "holds no recording 'absent'" in capsys.readouterr().err


def test_an_aborted_replacement_is_listed_beside_the_dataset(
    tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(preprocess_command(tiny_root, out)) == 0
    root = spoilt(tiny_root, tmp_path, 4)
    assert main(preprocess_command(root, out, "--overwrite")) == 1
    capsys.readouterr()
    assert main(["rejects", str(out)]) == 0
    text = capsys.readouterr().out
    assert "rejected by the dataset: 0" in text
    assert "rejected by a run that did not finish: 4; notices: 0\n" in text
    assert verify(str(out)).defects == ()


def test_a_recording_is_tried_again_by_any_spelling_of_its_id(tmp_path: Path) -> None:
    root = write_tiny_musicnet(tmp_path / "in", [Tiny("Dvo\u0159\u00e1k", work="A")])
    result = replay("DVOR\u030cA\u0301K", str(root), CONFIG)
    assert result.windows > 0
    assert result.rejects == result.notices == ()


def test_a_printed_command_can_be_given_to_a_shell(
    tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "it's in $HOME")
    for path in sorted((root / "train_data").iterdir())[:4]:
        path.unlink()
        path.with_name(f"-{path.stem}'\"$HOME.wav").write_bytes(b"")
    assert main(preprocess_command(root, tmp_path / "the output")) == 1
    listing = capsys.readouterr().err.rpartition("what was rejected: ")[2]
    for _ in range(2):
        command = listing.strip().replace("duet ", f"{sys.executable} -m musicnet_duet ", 1)
        run = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
        listing = run.stdout.splitlines()[-1]
    assert run.returncode == 1
    assert listing == "-101'\"$HOME: windows: 0; rejected: 2; notices: 1"


def test_nothing_to_list_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rejects", str(tmp_path)]) == 1
    assert "holds neither a dataset nor the work of a run" in capsys.readouterr().err
