from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_lines import Answer, answers
from tests.support.dataset_factory import make_dataset
from training.cli import main
from training.errors import TrainingError


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_help_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys\nfrom training.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print({'keras', 'librosa', 'numpy', 'tensorflow'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert all(command in run.stdout for command in ("train", "generate", "evaluate", "compare"))
    assert run.stdout.endswith("set()\n")


def test_an_error_is_one_line(small_dataset: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "evaluate", "--data", str(small_dataset)]
    run = subprocess.run([*command, "--run", str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith(f"error: {tmp_path}/run.json: no such file")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "{tmp}"], "there is no whole dataset here"),
        (["--data", "{data}", "--resume"], "holds no run to resume"),
    ],
)
def test_wrong_training_options_are_errors(
    small_dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    given = [text.format(data=small_dataset, tmp=tmp_path) for text in arguments]
    status, out, err = call(capsys, "train", "--run", tmp_path / "run", *given)
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert message in err


def test_impossible_options_are_found_before_anything_is_imported() -> None:
    train = ["train", "--data", "d", "--run", "r"]
    generate = ["generate", "--run", "r", "--output", "x.wav"]
    messages = {
        (*train, "--steps", "0"): "--steps: 0 must be a positive integer",
        (*train, "--validation-interval", "x"): "--validation-interval: 'x' is not an integer",
        (*train, "--memory-mb", "0"): "--memory-mb: 0 must be a positive integer",
        (*train, "--units", "8", "0"): "--units: 0 must be a positive integer",
        (*train, "--components", "0"): "--components: 0 must be a positive integer",
        (*train, "--warmup-steps", "-1"): "--warmup-steps: -1 must be 0 or more",
        (*train, "--decay-steps", "0"): "--decay-steps: 0 must be a positive integer",
        (*train, "--patience", "0"): "--patience: 0 must be a positive integer",
        (*train, "--gain-db", "61"): "--gain-db: 61 must be from 0 to 60",
        (*train, "--ema", "1"): "--ema: 1 must be from 0 to 0.99999",
        (*train, "--dropout", "1"): "--dropout: 1 must be from 0 to 0.95",
        (*train, "--head", "chain"): "--head: 'chain' is not one of chained, independent; did you "
        "mean chained?",
        (*train, "--batch-size", "-1"): "--batch-size: -1 must be a positive integer",
        (*train, "--learning-rate", "nan"): "--learning-rate: nan is not a finite number",
        (*train, "--learning-rate", "0"): "--learning-rate: 0 must be a positive number",
        (*train, "--noise", "11"): "--noise: 11 must be from 0 to 10",
        (*train, "--seed", "-1"): "--seed: -1 must be 0 or more",
        (
            *train,
            "--model",
            "gur",
        ): "--model: 'gur' is not one of rnn, gru, lstm; did you mean gru?",
        (*generate, "--seconds", "-1"): "--seconds: -1 must be above 0 and at most 86400",
        (*generate, "--seconds", "1e9"): "--seconds: 1e9 must be above 0 and at most 86400",
        (*generate, "--seconds", "inf"): "--seconds: inf is not a finite number",
        (*generate, "--temperature", "0"): "--temperature: 0 must be above 0 and at most 10",
        (*generate, "--seed", "-1"): "--seed: -1 must be 0 or more",
        (*generate, "--checkpoint", "worst"): "--checkpoint: 'worst' is neither last nor best "
        "nor a step",
        (*generate, "--memory-mb", "-1"): "--memory-mb: -1 must be a positive integer",
        (*generate, "--prime", "1"): "--prime and --data belong together: give both or neither",
        (*generate, "--data", "d"): "--prime and --data belong together: give both or neither",
        ("generate", "--run", "r", "--output", "x.mp3"): "--output: 'x.mp3' is not the name of a "
        ".wav file",
        (*train[:3], "--run", "gs://b/r"): "--run: 'gs://b/r' is a URL; this must be on a local "
        "disk",
        ("evaluate", "--run", "", "--data", "d"): "--run: the path is empty; name a file or a "
        "folder",
        ("evaluate", "--run", "r", "--data", "d", "--split", "tests"): "--split: 'tests' is not "
        "one of train, validation, test; did you mean test?",
        ("compare", "--run", "r", "--data", "d", "--audio", ""): "--audio: the path is empty; name "
        "a file or a folder",
    }
    for answer, message in zip(
        answers("training.cli", list(messages)), messages.values(), strict=True
    ):
        assert answer == Answer(2, f"error: {message}\n", [])


def test_the_old_name_of_a_run_is_understood(
    small_dataset: Path, small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flag in ("--run", "--run-dir"):
        status, _, err = call(capsys, "train", "--data", small_dataset, flag, small_run)
        assert status == 1
        assert f"error: {small_run}: holds a run already" in err


def test_a_budget_that_a_message_asks_for_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both count megabytes of 1,000,000 bytes."""
    frames = {"train": (70,) * 64, "validation": (70,), "test": ()}
    dataset = make_dataset(tmp_path / "dataset", frames=frames)
    start = ("train", "--data", dataset, "--steps", 1, "--units", 4, "--run")
    large = ("--batch-size", 64)
    status, _, err = call(capsys, *start, tmp_path / "a", *large, "--memory-mb", 1)
    assert status == 1
    assert "a memory budget of 1,000,000 bytes is too small" in err
    (needed,) = re.findall(r"give at least (\d+) MB", err)
    status, _, err = call(capsys, *start, tmp_path / "a", *large, "--memory-mb", int(needed) - 1)
    assert status == 1
    assert call(capsys, *start, tmp_path / "a", *large, "--memory-mb", needed)[0] == 0


def test_progress_in_a_file_is_a_few_lines(small_dataset: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "train", "--data", str(small_dataset),
               "--run", str(tmp_path / "run"), "--steps", "20", "--units", "4"]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "\r" not in run.stderr
    lines = run.stderr.splitlines()
    assert len(lines) < 10
    assert lines[-1].startswith("training: 100% 20/20 [")


def test_a_model_too_large_for_the_machine_is_no_bug(small_dataset: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "train", "--data", str(small_dataset),
               "--run", str(tmp_path / "run"), "--units", "65536", "65536", "65536"]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert re.fullmatch(r"error: TensorFlow ran out of memory .*\n", run.stderr)


def test_a_description_nested_without_end_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text("[" * 100_000)
    status, _, err = call(capsys, "evaluate", "--data", tmp_path, "--run", tmp_path)
    assert status == 1
    assert f"{tmp_path}/run.json: not the description of a run" in err


def test_a_name_that_is_too_long_is_an_error(
    small_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = tmp_path / ("x" * 300)
    for more in (("train",), ("evaluate",)):
        status, _, err = call(capsys, *more, "--data", small_dataset, "--run", long)
        assert status == 1
        assert "this is a bug" not in err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such file"):
        main(["evaluate", "--data", str(tmp_path), "--run", str(tmp_path), "--debug"])


def test_the_commands_work_together(
    small_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, wav = tmp_path / "run", tmp_path / "x.wav"
    data = ("--data", small_dataset)
    start = ("train", *data, "--run", run, "--model", "lstm", "--units", 6, 5)
    status, out, _ = call(capsys, *start, "--batch-size", 4, "--steps", 4, "--json")
    assert status == 0
    assert json.loads(out)["step"] == 4
    status, out, _ = call(capsys, "train", *data, "--run-dir", run, "--steps", 6, "--resume")
    assert status == 0
    assert "6 steps" in out
    status, out, _ = call(
        capsys, "generate", "--run", run, "--seconds", 1.5, "--output", wav, "--json"
    )
    assert status == 0
    assert json.loads(out)["model"]["units"] == [6, 5]
    for command in (("evaluate",), ("evaluate", "--free-running"), ("compare", "--audio", wav)):
        status, out, _ = call(capsys, *command, "--run", run, *data, "--json")
        assert status == 0
        assert json.loads(out)
        status, out, _ = call(capsys, *command, "--run", run, *data)
        assert status == 0
        assert len(out.splitlines()) > 3


def test_evaluate_prints_every_baseline_and_its_difference(
    small_dataset: Path, small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = call(capsys, "evaluate", "--run", small_run, "--data", small_dataset)
    assert status == 0
    for name in ("histogram", "persistence", "autoregression", "linear_chain"):
        assert name in out.splitlines()[1]
        assert re.search(rf"{name} - model, mean over recordings: -?\d\.\d+, .* unknown", out)
    assert "an interval needs 6 works or more, and that of every recording" in out
    assert "free-running" not in out
    assert "another dataset" not in out


def test_evaluate_warns_that_a_model_may_know_the_recordings_of_another_dataset(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_dataset(tmp_path, seed=1)
    status, out, _ = call(capsys, "evaluate", "--run", small_run, "--data", other)
    assert status == 0
    assert "the model was trained on another dataset, which may have had these recordings" in out
    assert "give --data the dataset that it was trained on" in out
    assert "share a work" not in out  # With recordings that this model was not trained on.


def test_resuming_with_another_model_says_what_differs(
    small_dataset: Path, small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("train", "--data", small_dataset, "--run", small_run, "--resume")
    status, _, err = call(capsys, *arguments, "--model", "rnn", "--units", 9)
    assert status == 1
    assert "model is gru there and rnn here; units is (8,) there and (9,) here" in err


def test_every_setting_of_the_command_line_reaches_the_run(
    small_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "model": {
            "hears": ["frequency"], "horizon": "strict", "recurrent": "rnn", "units": [5],
            "head": "independent", "components": 2, "noise": 0.25, "dropout": 0.5,
            "mixed_precision": True, "n_mels": 8, "hop_length": 64, "n_fft": 256,
            "sample_rate": 4_000, "seed": 7,
        },
        "training": {
            "batch_size": 3, "learning_rate": 0.01, "warmup_steps": 2, "decay_steps": 9,
            "clip_norm": 1.0, "gain_db": 6.0, "ema": 0.5, "deterministic": True, "seed": 7,
        },
        "loop": {
            "steps": 2, "validation_interval": 1, "memory_bytes": 9_000_000, "patience": 3,
        },
    }  # fmt: skip
    flags = "--model rnn --units 5 --head independent --components 2 --noise 0.25 --dropout 0.5"
    flags += " --hear frequency --horizon strict --mixed-precision --batch-size 3"
    flags += " --learning-rate 0.01 --warmup-steps 2"
    flags += " --decay-steps 9 --gain-db 6 --ema 0.5 --seed 7 --patience 3"
    flags += " --deterministic --validation-interval 1 --memory-mb 9"
    start = ("train", "--data", small_dataset, "--run", tmp_path, "--steps")
    assert call(capsys, *start, 2, *flags.split())[0] == 0
    found = json.loads((tmp_path / "run.json").read_bytes())
    assert {name: found[name] for name in settings} == settings
    assert call(capsys, *start, 3, "--resume")[0] == 0


def test_a_run_that_stopped_early_says_so(
    small_dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.fitting.scoring.Validation.bits", lambda validation: 5.0)
    start = ("train", "--data", small_dataset, "--run", tmp_path, "--units", 4, "--steps", 9)
    options = ("--validation-interval", 2, "--patience", 1)
    status, out, err = call(capsys, *start, *options)
    assert status == 0
    assert "stopped early: validations no longer improved" in out
    assert "go on with" not in err
    status, out, _ = call(capsys, *start, *options, "--resume")
    assert status == 0
    assert out == f"{tmp_path}: stopped early at step 4; raise --patience to go on\n"


def test_checkpoints_are_chosen_on_the_command_line(
    small_dataset: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for which, step in (("last", 12), (5, 5), ("best", 12)):
        options = ("--run", small_run, "--checkpoint", which, "--json")
        status, out, _ = call(capsys, "evaluate", "--data", small_dataset, *options)
        assert (status, json.loads(out)["step"]) == (0, step)
        wav = tmp_path / f"{which}.wav"
        status, out, _ = call(capsys, "generate", "--seconds", 0.2, "--output", wav, *options)
        assert (status, json.loads(out)["step"]) == (0, step)
    missing = ("--run", small_run, "--checkpoint", 7)
    status, _, err = call(capsys, "evaluate", "--data", small_dataset, *missing)
    assert status == 1
    assert "has no checkpoint 7; choose one of last, best, 5, 10, 12" in err
