"""A memory budget holds: training goes through a dataset twenty times as large as its budget."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import PRESETS
from tests.support.dataset_factory import make_dataset

BUDGET = 32 * 2**20

ALLOWANCE = 48 * 2**20
"""What a process may grow by beyond the budget. Measured: 54 to 59 MB in all, of which the readers
hold 22; the rest is a second model's graph, the events file, and what the allocators of TensorFlow,
Arrow and malloc keep. A dataset in memory exceeds the bound eight times over."""

WINDOWS = 2_910
"""Of 220,160 bytes each: 640 MB."""

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from schemas import Dataset
from training import open_dataset
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.runs import Run
from training.train import new_model, train

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024

data, run_dir, budget, steps, what = sys.argv[1:]
model = FrameModelConfig(recurrent="rnn", units=(4,), components=1)
training = TrainingConfig(batch_size=8)
trained = new_model(Run.of(Dataset(data), model, training))
log_mel, weights = np.zeros((8, 430, 128), np.float32), np.ones((8, 430), np.float32)
for _ in range(4):
    trained.train_on_batch(log_mel, log_mel, sample_weight=weights)
idle = peak()
if what == "hold":
    held = [batch["log_mel"].copy() for batch in open_dataset(data, batch_size=8).in_order()]
else:
    loop = LoopConfig(steps=int(steps), validation_interval=100, memory_bytes=int(budget))
    train(data, run_dir, model, training, loop)
print(peak() - idle)
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(
        tmp_path_factory.mktemp("memory") / "dataset",
        config=dataclasses.replace(PRESETS["librosa"], features=("log_mel",)),
        frames={"train": (430,) * WINDOWS, "validation": (430,) * 8, "test": (430,)},
        formats=("tfrecord",),
        shards=40,
    )


def growth(dataset: Path, run_dir: Path, what: str) -> int:
    """By how many bytes a process exceeds what it took to train on batches of zeros."""
    steps = -(-WINDOWS // 8)
    arguments = [str(value) for value in (dataset, run_dir, BUDGET, steps, what)]
    run = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_training_stays_within_its_budget(dataset: Path, tmp_path: Path) -> None:
    grown = growth(dataset, tmp_path, "train")
    assert grown < BUDGET + ALLOWANCE, f"{grown / 2**20:.0f} MB"


def test_holding_the_dataset_would_be_noticed(dataset: Path, tmp_path: Path) -> None:
    assert growth(dataset, tmp_path, "hold") > 5 * (BUDGET + ALLOWANCE)
