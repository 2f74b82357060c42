import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from schemas import Dataset
from tests.support.command_lines import Answer, answers
from tests.support.tiny_musicnet import CONFIG, Tiny, write_tiny_musicnet


def test_the_whole_way_by_command_lines(
    tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, features = str(tmp_path / "out"), tmp_path / "features.json"
    features.write_text('{"window_frames": 64, "stride_frames": 32, "dtype": "float16"}')
    arguments = ["preprocess", "--input", str(tiny_root), "--output", out, "--format", "both",
                 "--config", str(features), "--features", "log_mel,onsets", "--json"]  # fmt: skip
    assert main([*arguments, "--", "--job_name=x"]) == 0
    result = json.loads(capsys.readouterr().out)
    config = Dataset(out).config
    assert (config.features, config.dtype, config.stride_frames) == (
        ("log_mel", "onsets"),
        "float16",
        32,
    )
    assert result["fingerprint"] == Dataset(out).manifest.fingerprint
    assert main(["verify", out, "--json"]) == 0
    verified = json.loads(capsys.readouterr().out)
    assert verified["defects"] == []
    assert 0 < verified["samples"]["stored"] == verified["samples"]["total"]
    picture = tmp_path / "x.png"
    assert main(["inspect", out, "--plot", str(picture), "--windows", "1"]) == 0
    assert picture.exists()
    assert "log_mel   <f2 [64, 128] dB" in capsys.readouterr().out
    (tmp_path / "out/recordings.parquet").unlink()
    assert main(["verify", out]) == 1
    assert "recordings.parquet: is missing; concerns every window\n" in capsys.readouterr().out
    assert main(["verify", out, "--json"]) == 1
    (defect,) = json.loads(capsys.readouterr().out)["defects"]
    assert defect == {"file": "recordings.parquet", "problem": "is missing", "windows": None}


def test_splits_and_tails_are_chosen(tiny_root: Path, tmp_path: Path) -> None:
    """Recordings 101 and 102 play the work of 201, MusicNet's own test recording."""
    splits = tmp_path / "splits.csv"
    splits.write_text("id,split\n101,test\n102,train\n103,train\n104,train\n105,validation\n"
                      "201,train\n999,train\n")  # fmt: skip
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG.to_dict()))

    def run(out: str, *more: str) -> Dataset:
        arguments = ["preprocess", "--input", str(tiny_root), "--output", str(tmp_path / out)]
        assert main([*arguments, "--config", str(config), *more]) == 0
        return Dataset(tmp_path / out)

    def of(dataset: Dataset, split: str) -> list[str]:
        rows = dataset.recordings().to_pylist()
        return [row["recording_id"] for row in rows if row["split"] == split]

    own = run("own", "--splits", str(splits))
    assert of(own, "test") == ["101"]
    assert of(own, "validation") == ["105"]
    disjoint = run("disjoint", "--test-split", "work-disjoint", "--tail", "drop")
    assert of(disjoint, "test") == ["101", "102", "201"]
    assert disjoint.config.tail == "drop"
    assert sum(disjoint.recordings()["dropped_samples"].to_pylist()) > 0
    for out in ("own", "disjoint"):
        assert main(["verify", str(tmp_path / out)]) == 0


def test_ctrl_c_stops_a_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    root = write_tiny_musicnet(tmp_path / "in", [Tiny(name, seconds=60) for name in "1234"])
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pipelines", "preprocess", "--input", str(root),
               "--output", str(out), "--shard-mb", "1", "--workers", "2", "--json"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not list(out.glob("_work/plan.json")):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert b"interrupted; the same command goes on" in errors
    assert not (out / "dataset.json").exists()
    run = subprocess.run(command, capture_output=True)
    assert run.returncode == 0
    assert (out / "dataset.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["preprocess", "--input", "IN", "--output", "OUT", "--", "--nonsense"], "'--nonsense'"),
        (["preprocess", "--input", "/missing", "--output", "OUT"], "/missing: no such folder"),
        (
            ["preprocess", "--input", "IN", "--output", "OUT", "--features", "x"],
            "--features: 'x' is not one of",
        ),
        (["preprocess", "--input", "IN", "--output", "OUT", "--config", "/x.json"], "/x.json"),
        (["preprocess", "--input", "", "--output", "OUT"], "--input: the path is empty"),
        (["preprocess", "--input", "IN", "--output", ""], "--output: the path is empty"),
        (["preprocess", "--input", "IN", "--output", "/"], "cannot be a dataset's folder"),
        (
            ["preprocess", "--input", "IN", "--output", "OUT", "--splits", ""],
            "--splits: the path is empty",
        ),
        (
            ["preprocess", "--input", "IN", "--output", "OUT", "--features", ""],
            "--features: '' is not one of",
        ),
        (
            ["inspect", "/missing"],
            "no whole dataset here; make one with: duet preprocess --input INPUT --output DATASET",
        ),
        (["verify", "/missing", "--", "--x"], "takes no options after '--'; only preprocess does"),
    ],
)
def test_failures_are_one_readable_message(
    arguments: list[str], told: str, tiny_root: Path, tmp_path: Path
) -> None:
    places = {"IN": str(tiny_root), "OUT": str(tmp_path / "out")}
    command = [sys.executable, "-m", "pipelines", *(places.get(each, each) for each in arguments)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode in (1, 2)
    (error,) = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert told in error
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()


def test_impossible_options_are_found_before_anything_is_imported() -> None:
    preprocess = ["preprocess", "--input", "i", "--output", "o"]
    messages = {
        (*preprocess, "--workers", "0"): "--workers: 0 must be a positive integer",
        (*preprocess, "--workers", "two"): "--workers: 'two' is not an integer",
        (*preprocess, "--shard-mb", "nan"): "--shard-mb: nan is not a finite number",
        (*preprocess, "--shard-mb", "0"): "--shard-mb: 0 must be a positive number of megabytes",
        (*preprocess, "--max-rejects", "2"): "--max-rejects: 2 must be from 0 to 1",
        (*preprocess, "--seed", "x"): "--seed: 'x' is not an integer",
        (*preprocess, "--format", "hdf"): "--format: 'hdf' is not one of tfrecord, hdf5, both; "
        "did you mean hdf5?",
        (*preprocess, "--features", "notes,notes"): "--features: 'notes,notes' names one of them "
        "twice",
        (*preprocess, "--splits", ""): "--splits: the path is empty; name a file or a folder",
        (*preprocess, "--preset", "melnet", "--config", "c"): "--config: not allowed with argument "
        "--preset",
        ("inspect", "d", "--plot", "x.txt"): "--plot: 'x.txt' is not the name of a .png file",
        ("inspect", "d", "--windows", "0,-1"): "--windows: '0,-1' is not a list of positions, such "
        "as 0,3: whole numbers separated by commas",
        ("rejects", "d", "--input", "i"): "--input only goes with --replay: it holds the recording "
        "to try again",
        ("verify", ""): "DATASET: the path is empty; name a file or a folder",
        ("demo-data", ""): "OUT: the path is empty; name a file or a folder",
    }
    for answer, message in zip(
        answers("pipelines.cli", list(messages)), messages.values(), strict=True
    ):
        assert answer == Answer(2, f"error: {message}\n", [])


def test_progress_in_a_file_is_a_few_lines(tiny_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for arguments in (["preprocess", "--input", tiny_root, "--output", out, "--dry-run"],
                      ["preprocess", "--input", tiny_root, "--output", out, "--workers", 1],
                      ["verify", out]):  # fmt: skip
        command = [sys.executable, "-m", "pipelines", *map(str, arguments)]
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        assert "\r" not in run.stderr
        lines = run.stderr.splitlines()
        assert len(lines) < 10
        assert re.match(r"(inspecting|writing shards|verifying): 100% ", lines[-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "LONG"], "cannot be written: file name too long"),
        (["--output", "OUT", "--config", "DEEP"], "deep.json: not JSON: "),
        (["--output", "OUT", "--config", "LONG"], "file name too long"),
    ],
)
def test_what_a_disk_does_to_a_run_is_no_bug(
    arguments: list[str],
    message: str,
    tiny_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    paths = {"LONG": "x" * 300, "OUT": "out", "DEEP": "deep.json"}
    given = [str(tmp_path / paths[each]) if each in paths else each for each in arguments]
    assert main(["preprocess", "--input", str(tiny_root), "--workers", "1", *given]) == 1
    assert message in capsys.readouterr().err


def test_a_plot_that_cannot_be_written_is_named(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    plot = tmp_path / "file/x.png"
    assert main(["inspect", str(tiny_dataset), "--plot", str(plot)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {plot}: cannot be written: ")


def test_a_reader_that_has_seen_enough_is_no_error(tiny_dataset: Path) -> None:
    for command in ("inspect", "inspect --json", "rejects"):
        shell = f"{sys.executable} -m pipelines {command} {tiny_dataset} | true"
        run = subprocess.run(
            ["bash", "-c", f"{shell}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True
        )
        assert (run.returncode, run.stderr) == (141, "")


def test_errors_of_commands_name_flags(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_root, tmp_path / "in")
    shutil.rmtree(tmp_path / "in/train_labels")
    there = str(tiny_dataset)
    messages = {
        (str(tiny_root), there): f"error: {there}: holds a dataset already; use --overwrite to "
        "replace it, or choose another --output\n",
        (f"{tmp_path}/in", f"{tmp_path}/out"): "; recordings without labels serve for --features "
        f"log_mel,waveform\nwhat was rejected: duet rejects {tmp_path}/out\n",
    }
    for (root, out), message in messages.items():
        command = ["preprocess", "--input", root, "--output", out, "--workers", "1"]
        assert main(command) == 1
        assert capsys.readouterr().err.endswith(message)


MADE = ["output", "splits", "formats", "bytes", "rejects", "notices",
        "recordings_of_unknown_works", "reuse", "audio_seconds"]  # fmt: skip


def test_json_has_the_keys_that_scripts_read(
    tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "features.json").write_text(json.dumps(CONFIG.to_dict()))
    out, split = f"{tmp_path}/out", {"shards", "windows", "recordings"}

    def result_of(*arguments: str) -> dict[str, Any]:
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    making = ["preprocess", "--input", str(tiny_root), "--output", out, "--workers", "1"]
    making += ["--config", f"{tmp_path}/features.json"]
    tried = result_of(*making, "--dry-run")
    assert set(tried) == {*MADE, "action"}
    made = result_of(*making)
    assert made["reuse"] is None
    again = [*making[:4], f"{tmp_path}/again", *making[5:], "--reuse", out]
    figures = ["dataset", "same_plan", "unchanged", "changed", "added", "removed", "moved"]
    assert set(result_of(*again)["reuse"]) == {*figures, "unchanged_windows", "windows"}
    more = ["fingerprint", "shards_written", "shards_kept", "wall_seconds", "metrics"]
    assert set(made) == {*MADE, *more}
    assert made["formats"] == tried["formats"] == ["tfrecord"]
    assert set(made["splits"]["train"]) == set(tried["splits"]["train"]) == split
    summary = result_of("inspect", out)
    assert set(summary) == {
        *("dataset", "fingerprint", "formats", "megabytes", "config", "window_seconds"),
        *("features", "splits", "leakage", "rejects", "notices"),
    }
    assert set(summary["splits"]["test"]) == {*split, "minutes", "works", "notes"}
    assert set(summary["leakage"]) == {"works_in_several_splits", "recordings_of_unknown_works"}
    plot = ("--plot", f"{tmp_path}/x.png")
    assert result_of("inspect", out, *plot) == {**summary, "plot": plot[1]}
    tried_again = result_of("rejects", out, "--replay", "101", "--input", str(tiny_root))
    assert set(tried_again) == {"recording_id", "windows", "rejects", "notices"}
