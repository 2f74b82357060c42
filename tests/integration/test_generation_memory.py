"""Generation takes as much memory for five minutes as for half a minute, but for the sound."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import PRESETS
from tests.support.dataset_factory import make_dataset
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.train import train

SCRIPT = """
import sys
from pathlib import Path
from training.generate import GenerationOptions, generate
from training.models import sample_levels
from training.trained_model import load_trained

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024

what, run, output, *lengths = sys.argv[1:]
model = load_trained(run).model
for seconds in map(float, lengths):
    if what == "generate":
        generate(run, GenerationOptions(seconds=seconds, output=Path(output), overwrite=True))
    else:
        sample_levels(model, round(seconds * 43), seeds=[0])
    print(peak())
"""

SHORT, LONG = 30, 300

BYTES_A_SAMPLE = 20

ALLOWANCE = 12 * 2**20
"""What the allocators of TensorFlow and malloc keep, beyond what grows with the sound."""


def growth(what: str, run: Path, output: Path) -> int:
    """By how many bytes the peak of a process grows from half a minute to five minutes."""
    lengths = [str(each) for each in (SHORT, SHORT, LONG)]
    command = [sys.executable, "-c", SCRIPT, what, str(run), str(output), *lengths]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *_, short, long = map(int, done.stdout.split())
    return long - short


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a small model of 128 bins, which was trained for a step."""
    folder = tmp_path_factory.mktemp("generation")
    data = make_dataset(
        folder / "dataset",
        config=dataclasses.replace(PRESETS["librosa"], features=("log_mel",)),
        frames={"train": (430,) * 4, "validation": (430,), "test": (430,)},
    )
    model = FrameModelConfig(recurrent="rnn", units=(16,), head="independent")
    loop = LoopConfig(steps=1, validation_interval=1)
    train(str(data), str(folder / "run"), model, TrainingConfig(batch_size=2), loop)
    return folder / "run"


def test_sampling_takes_memory_for_its_result_alone(run: Path, tmp_path: Path) -> None:
    """Drawn at once, the random numbers of 270 seconds more would take 24 MB to 70 MB."""
    result = (LONG - SHORT) * 43 * 128 * 4
    grown = growth("sample", run, tmp_path / "x.wav")
    assert grown < result + ALLOWANCE, f"{grown / 1e6:.1f} MB"


def test_generation_takes_memory_for_its_sound_alone(run: Path, tmp_path: Path) -> None:
    """`BYTES_A_SAMPLE` is what the documentation says: samples, file, spectrograms and picture."""
    samples = (LONG - SHORT) * 22_050
    grown = growth("generate", run, tmp_path / "x.wav")
    assert grown < BYTES_A_SAMPLE * samples + ALLOWANCE, f"{grown / samples:.1f} bytes a sample"
