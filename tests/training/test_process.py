"""What surrounds the process: Keras's settings, the environment, TensorFlow's determinism."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from training import TrainingError
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.fitting.checkpoints import Checkpoints
from training.runs import CHECKPOINTS
from training.train import train
from training.trained_model import load_trained


def run(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


COMMAND = "import sys; from training.cli import main; sys.exit(main(sys.argv[1:]))"


def test_commands_work_whatever_backends_are_chosen(small_run: Path, tmp_path: Path) -> None:
    options = ("--run", small_run, "--seconds", 0.2, "--output", tmp_path / "x.wav")
    odd = {"KERAS_BACKEND": "torch", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    found = run(COMMAND, "generate", *options, **odd)
    assert found.returncode == 0, found.stderr
    assert len(list(tmp_path.iterdir())) == 3


def test_another_backend_of_keras_is_one_clear_error(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    message = "Keras was imported with its backend 'torch', .* KERAS_BACKEND to tensorflow before"
    with pytest.raises(TrainingError, match=message):
        load_trained(small_run)


def arrays_of(run_dir: Path) -> list[np.ndarray]:
    checkpoints = Checkpoints(run_dir / CHECKPOINTS)
    model = checkpoints.load(checkpoints.index().latest or 0)
    return [each.numpy() for each in (*model.weights, *model.optimizer.variables)]


@pytest.mark.parametrize("floatx", ["float16", "float64"])
def test_keras_own_settings_change_no_weight(
    floatx: str, small_dataset: Path, tmp_path: Path
) -> None:
    settings = {
        "floatx": floatx,
        "epsilon": 1e-2,
        "backend": "torch",
        "image_data_format": "channels_first",
    }
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    model, loop = FrameModelConfig(units=(6, 5)), LoopConfig(steps=3)
    train(str(small_dataset), str(tmp_path / "plain"), model, TrainingConfig(), loop)
    options = ("--data", small_dataset, "--run-dir", tmp_path / "odd", "--steps", 3)
    found = run(COMMAND, "train", *options, "--units", 6, 5, KERAS_HOME=str(tmp_path))
    assert found.returncode == 0, found.stderr
    odd, plain = arrays_of(tmp_path / "odd"), arrays_of(tmp_path / "plain")
    for ours, theirs in zip(odd, plain, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


LIBRARY = """
import os, sys
import numpy as np
import tensorflow as tf
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.process import make_deterministic
from training.train import train
np.random.seed(0)
environment = dict(os.environ)
model, training = FrameModelConfig(units=(4,)), TrainingConfig(batch_size=4)
train(sys.argv[1], sys.argv[2], model, training, LoopConfig(steps=1))
assert dict(os.environ) == environment
assert np.random.random_sample() == np.random.RandomState(0).random_sample()
draw = lambda: tf.random.uniform([])
draw()
make_deterministic()
try:
    draw()
except RuntimeError:
    sys.exit(0)
sys.exit("determinism was not switched on by the function that does so")
"""


ON_REQUEST = """
import sys
import tensorflow as tf
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.train import train
model, training = FrameModelConfig(units=(4,)), TrainingConfig(batch_size=4, deterministic=True)
train(sys.argv[1], sys.argv[2], model, training, LoopConfig(steps=1))
try:
    tf.random.uniform([])
except RuntimeError:
    sys.exit(0)
sys.exit("TensorFlow is not deterministic")
"""


def test_a_run_that_asks_for_determinism_has_it(small_dataset: Path, tmp_path: Path) -> None:
    found = run(ON_REQUEST, small_dataset, tmp_path / "run")
    assert found.returncode == 0, found.stderr


def test_the_library_leaves_the_process_as_it_is(small_dataset: Path, tmp_path: Path) -> None:
    found = run(LIBRARY, small_dataset, tmp_path / "run")
    assert found.returncode == 0, found.stderr


WATCHED_COMMAND = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            print("growth:", os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH"))

sys.meta_path.insert(0, Watch())
from training.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("chosen", "expected"), [(None, "true"), ("false", "false")])
def test_a_gpu_s_memory_is_taken_as_it_is_needed_unless_the_user_decides(
    chosen: str | None, expected: str, small_run: Path, tmp_path: Path
) -> None:
    """TensorFlow reads this variable when it is imported."""
    own = {"TF_FORCE_GPU_ALLOW_GROWTH": chosen} if chosen else {}
    options = ("--run", small_run, "--seconds", 0.2, "--output", tmp_path / "x.wav")
    found = run(WATCHED_COMMAND, "generate", *options, **own)
    assert found.returncode == 0, found.stderr
    assert f"growth: {expected}" in found.stdout
