from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.support.documents import ROOT, blocks
from tests.support.trained_runs import figures
from training import TrainingError, open_dataset
from training.cli import main
from training.config import LoopConfig, ModelFunction, TrainingConfig
from training.fitting.checkpoints import Checkpoints
from training.runs import CHECKPOINTS, CURVE, METRICS
from training.train import TrainingResult, train
from training.trained_model import load_trained

MODULE = """
import keras
from keras import layers

N = "here"

@keras.saving.register_keras_serializable(package="test_own_models")
class Scaled(layers.Layer):
    def call(self, inputs):
        return inputs / 40

def compiled(n_mels, mean_db, std_db):
    hidden = Scaled()(log_mel := keras.Input((None, n_mels)))
    hidden = layers.Dropout(0.5)(layers.Dense(4, "relu")(hidden))
    model = keras.Model(log_mel, layers.Dense(n_mels)(hidden))
    model.compile("adam", "mae", weighted_metrics=[keras.metrics.MeanSquaredError(name="mse")])
    return model

@keras.saving.register_keras_serializable(package="test_own_models")
class Fragile(layers.Layer):
    def call(self, inputs, training=False):
        if training:
            raise ValueError("cannot be\\ntrained")
        return inputs

def fails_in_training(n_mels, mean_db, std_db):
    model = keras.Sequential([keras.Input((None, n_mels)), Fragile(), layers.Dense(n_mels)])
    model.compile("adam", "mse")
    return model

def not_a_model(n_mels, mean_db, std_db):
    return "a model"

def wrong_arguments(n_mels):
    return None

def wrong_shape(n_mels, mean_db, std_db):
    return keras.Sequential([keras.Input((None, n_mels)), layers.Dense(n_mels)])

def wrong_target(n_mels, mean_db, std_db):
    model = keras.Sequential([keras.Input((None, n_mels)), layers.Dense(n_mels + 1)])
    model.compile("adam", "mse")
    return model

def not_causal(n_mels, mean_db, std_db):
    return keras.Sequential([
        keras.Input((None, n_mels)), layers.Dense(3 * n_mels), layers.Reshape((-1, 3, n_mels))
    ])

def not_finite(n_mels, mean_db, std_db):
    return keras.Sequential([keras.Input((None, n_mels)),
        layers.Dense(3 * n_mels, bias_initializer=keras.initializers.Constant(float("nan"))),
        layers.Reshape((-1, 3, n_mels))])

def not_saved(n_mels, mean_db, std_db):
    model = keras.Sequential([keras.Input((None, n_mels)), layers.Lambda(lambda x: x)])
    model.compile("adam", "mse")
    return model
"""

NAMES = ("log_mel", "weights")
TRAINING = TrainingConfig(batch_size=4, seed=3)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the commands, with modules of a user's own: `own_models` and the page's."""
    (code,) = [each.text for each in blocks("docs/models.md") if "def build(" in each.text]
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "my_models.py").write_text(code)
    (folder / "own_models.py").write_text(MODULE)
    (folder / "broken_models.py").write_text("import a_module_that_is_not_there")
    (folder / "wrong_models.py").write_text("def build(:")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    importlib.invalidate_caches()
    yield folder
    for name in ("my_models", "own_models", "broken_models", "wrong_models"):
        sys.modules.pop(name, None)


def run(
    data: Path, run_dir: Path, function: str, steps: int, *, resume: bool = False, **changed: Any
) -> TrainingResult:
    keras.utils.set_random_seed(TRAINING.seed)
    loop = LoopConfig(steps=steps, validation_interval=4)
    training = TrainingConfig(**{"batch_size": 4, "seed": 3, **changed})
    model = ModelFunction(function)
    return train(str(data), str(run_dir), model, training, loop, resume=resume)


def command(*arguments: object) -> int:
    return main([str(each) for each in arguments])


def test_the_model_of_the_page_is_trained_resumed_and_evaluated(
    small_dataset: Path, tmp_path: Path, modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, own = ("--data", small_dataset), tmp_path / "own"
    start = ("train", *data, "--run", own, "--model", "my_models:build", "--seed", 3)
    assert command(*start, "--steps", 20, "--ema", 0.5, "--batch-size", 4) == 0
    assert "bits/dim at step 20" in capsys.readouterr().out
    bits = [line["bits"] for line in figures(own)]
    assert len(bits) == 20
    assert np.mean(bits[-3:]) < np.mean(bits[:3]) - 0.1
    assert command("train", *data, "--run", own, "--steps", 22, "--resume") == 0
    capsys.readouterr()
    assert command("evaluate", "--run", own, *data, "--split", "validation", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    validations = Checkpoints(own / CHECKPOINTS).index().validations
    assert 0 < found["bits"]["model"] < validations[0][1]
    for sampled in (
        ("generate", "--output", tmp_path / "x.wav"),
        ("evaluate", "--free-running", *data, "--split", "validation"),
    ):
        assert command(sampled[0], "--run", own, *sampled[1:]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        if sampled[0] == "generate":
            assert error == (
                f"error: {own}: cannot be sampled, since its model is my_models:build; use a run "
                "whose model is rnn, gru or lstm\n"
            )


@pytest.mark.parametrize("function", ["my_models:build", "own_models:compiled"])
def test_stopping_and_resuming_changes_nothing(
    small_dataset: Path, tmp_path: Path, modules: Path, function: str
) -> None:
    run(small_dataset, tmp_path / "at once", function, 7)
    for steps in (3, 7):
        run(small_dataset, tmp_path / "in parts", function, steps, resume=steps > 3)
    found = [tmp_path / name for name in ("at once", "in parts")]
    models = [Checkpoints(each / CHECKPOINTS).load_any(7) for each in found]
    assert len(models[0].weights) > 2
    for one, other in zip(*(each.weights for each in models), strict=True):
        np.testing.assert_array_equal(one, other)
    steps_of = [
        [line for line in lines if "learning_rate" in line]
        for lines in (
            [json.loads(line) for line in (each / METRICS).read_text().splitlines()]
            for each in found
        )
    ]
    assert steps_of[0] == steps_of[1]
    assert len(steps_of[0]) == 7


def test_the_file_of_a_run_makes_the_same_model(
    small_dataset: Path, tmp_path: Path, modules: Path
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    start = ("train", "--data", small_dataset, "--steps", 3, "--run")
    assert command(*start, first, "--model", "own_models:compiled", "--seed", 5) == 0
    assert command(*start, again, "--config", first / "run.json") == 0
    assert (again / "run.json").read_bytes() == (first / "run.json").read_bytes()
    models = [Checkpoints(each / CHECKPOINTS).load_any(3) for each in (first, again)]
    for one, other in zip(*(each.weights for each in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_compiled_model_keeps_its_loss_and_its_metrics(
    small_dataset: Path, tmp_path: Path, modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(small_dataset, tmp_path / "run", "own_models:compiled", 8)
    lines = [json.loads(line) for line in (tmp_path / "run" / METRICS).read_text().splitlines()]
    assert list(lines[0]) == ["step", "loss", "mse", "learning_rate"]
    validations = {each["step"]: each["validation_loss"] for each in lines if len(each) == 2}
    assert set(validations) == {4, 8}
    assert result.validation_loss == validations[8]
    assert result.best_validation_loss == min(validations.values())
    assert result.validation_bits is result.best_validation_bits is None
    assert result.frames_per_second is None
    assert (tmp_path / "run" / CURVE).stat().st_size > 10_000
    resumed = ("train", "--data", small_dataset, "--run", tmp_path / "run", "--resume")
    assert command(*resumed, "--steps", 9) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'run'}: 9 steps\nbest on valid")
    status = command("evaluate", "--run", tmp_path / "run", "--data", small_dataset)
    assert (status, capsys.readouterr().err) == (
        1,
        f"error: {tmp_path / 'run'}: has no bits per dimension, since own_models:compiled is "
        "compiled with a loss of its own; train a model that is not compiled and gives packed "
        "mixtures\n",
    )


def test_the_loss_on_the_validation_split_is_that_of_keras(
    small_dataset: Path, tmp_path: Path, modules: Path
) -> None:
    result = run(small_dataset, tmp_path / "run", "own_models:compiled", 4)
    model = Checkpoints(tmp_path / "run" / CHECKPOINTS).load_any(4)
    windows = list(open_dataset(small_dataset, "validation", batch_size=4).in_order())
    log_mel, weights = (np.concatenate([each[k] for each in windows]) for k in NAMES)
    arguments = {"sample_weight": weights, "batch_size": 4, "verbose": 0, "return_dict": True}
    assert weights.min() == 0
    expected = model.evaluate(log_mel, log_mel, **arguments)["loss"]
    assert result.validation_loss == pytest.approx(expected, rel=1e-6)
    without = model.evaluate(log_mel, log_mel, **{**arguments, "sample_weight": None})["loss"]
    assert result.validation_loss != pytest.approx(without, rel=1e-3)


WRONG = {
    "no_such_module:build": "there is no module no_such_module; run the command in the folder",
    "own_models.deeper:build": "importing own_models.deeper failed with ModuleNotFoundError|"
    "there is no module own_models.deeper",
    "own_models:biuld": "own_models.py has no function biuld; name one that it has",
    "own_models:N": "own_models.py has no function N; name one that it has",
    "broken_models:build": "importing broken_models failed with ModuleNotFoundError: No module "
    "named 'a_module_that_is_not_there'",
    "wrong_models:build": "importing wrong_models failed with SyntaxError: ",
    "own_models:not_a_model": "returned 'a model'; return a keras.Model",
    "own_models:wrong_arguments": "the function failed with TypeError: ",
    "own_models:wrong_shape": r"gives \[2, 70, 8\] for log_mel \[2, 70, 8\] instead of packed "
    r"mixtures \[2, 70, 3 \* components, 8\]; give these, or compile",
    "own_models:wrong_target": "a batch of log_mel failed with ",
    "own_models:not_causal": "what it gives for a frame depends on that frame or on later ones",
    "own_models:not_finite": "gives values that are not finite",
    "own_models:not_saved": "its model cannot be saved and loaded again: .*; register its own",
}


@pytest.mark.parametrize("function", WRONG)
def test_what_is_no_model_is_one_sentence(
    small_dataset: Path, tmp_path: Path, modules: Path, function: str
) -> None:
    with pytest.raises(TrainingError, match=f"^{function}: .*({WRONG[function]})") as caught:
        run(small_dataset, tmp_path / "run", function, 2)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_model_that_fails_in_a_step_is_one_sentence_too(
    small_dataset: Path, tmp_path: Path, modules: Path
) -> None:
    message = "^own_models:fails_in_training: fit failed with ValueError: .*cannot be trained"
    with pytest.raises(TrainingError, match=message) as caught:
        run(small_dataset, tmp_path / "run", "own_models:fails_in_training", 2)
    assert "\n" not in str(caught.value)


def test_a_module_in_the_folder_of_the_command_is_found(
    small_dataset: Path, tmp_path: Path, modules: Path
) -> None:
    """Also by the console script, which does not look there by itself, as with -P."""
    code = "import sys; from musicnet_duet.cli import PROGRAM; sys.exit(PROGRAM.main(sys.argv[1:]))"
    start = [sys.executable, "-P", "-c", code, "train", "--data", str(small_dataset)]
    done = subprocess.run(
        [*start, "--run", "run", "--model", "own_models:compiled", "--steps", "1"],
        cwd=modules,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("run: 1 steps\nbest on validation: loss ")


def test_settings_that_the_model_has_of_its_own_are_errors(
    small_dataset: Path, tmp_path: Path, modules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = "own_models:compiled: its model is compiled .*, so learning_rate, ema cannot be set"
    with pytest.raises(TrainingError, match=message):
        run(small_dataset, tmp_path / "run", "own_models:compiled", 2, learning_rate=1e-3, ema=0.5)
    start = ("train", "--data", small_dataset, "--run", tmp_path / "run")
    assert command(*start, "--model", "my_models:build", "--mixed-precision") == 2
    assert capsys.readouterr().err == (
        "error: --mixed-precision: my_models:build makes its own layers; leave it out\n"
    )
    (tmp_path / "a.yaml").write_text("model:\n  function: my_models:build\n")
    assert command(*start, "--config", tmp_path / "a.yaml", "--units", 4) == 1
    assert "my_models:build makes its own layers, so units cannot be set" in capsys.readouterr().err
    (tmp_path / "a.yaml").write_text("model:\n  function: my_models:build\n  units: [4]\n")
    assert command(*start, "--config", tmp_path / "a.yaml") == 1
    assert "a.yaml: line 3: model.units does not go with model.function" in capsys.readouterr().err


def test_another_model_is_not_resumed(
    small_dataset: Path, small_run: Path, tmp_path: Path, modules: Path
) -> None:
    message = "model is gru there and my_models:build here"
    with pytest.raises(TrainingError, match=message):
        run(small_dataset, small_run, "my_models:build", 20, resume=True, seed=0)
    run(small_dataset, tmp_path / "run", "own_models:compiled", 1)
    with pytest.raises(TrainingError, match="cannot be sampled, since its model is own_models:c"):
        load_trained(tmp_path / "run")


@pytest.mark.parametrize("text", ["my models:build", "models/my.py:build", ":build", "a:", "a:b.c"])
def test_other_texts_are_wrong_usage(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("train", "--data", "d", "--run", "r", "--model", text) == 2
    assert capsys.readouterr().err == (
        f"error: --model: {text!r} is not module:function, such as my_models:build, with dots for "
        "folders\n"
    )
