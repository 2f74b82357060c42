"""Generation: a free-running sample becomes a WAV, a picture and a note of where it came from."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import Storage
from schemas.shards import SPLITS
from training.errors import TrainingError
from training.grid import dequantize, quantize
from training.inversion import log_mel_of, mel_to_audio, wav_bytes
from training.novelty import spectral_summary
from training.plots import save_picture
from training.reader import open_dataset
from training.sampling import sample_levels
from training.trained_model import Trained, load_trained

PACKAGES = ("keras", "librosa", "numpy", "scipy", "soundfile", "tensorflow")

WARM_UP_SECONDS = 1.0
"""A sample that begins from nothing needs a moment to become music; this much is left out."""

_IDS_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class GenerationOptions:
    """What to generate: `seconds` of sound into the WAV file `output`.

    `temperature` 1 samples from the model; less makes every level nearer to the likeliest.
    `prime`, the id of a recording of the dataset `data`, is what the model hears before it begins:
    that recording's first window.
    """

    seconds: float
    output: Path
    seed: int = 0
    temperature: float = 1.0
    data: str | None = None
    prime: str | None = None
    memory_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise TrainingError(f"seconds={self.seconds} must be positive")
        if not 0 < self.temperature <= 10:
            raise TrainingError(f"temperature={self.temperature} must be above 0 and at most 10")
        if self.seed < 0:
            raise TrainingError(f"seed={self.seed} must not be negative")
        if self.output.suffix.lower() != ".wav":
            raise TrainingError(f"output={self.output} must be the name of a .wav file")
        if (self.prime is None) != (self.data is None):
            raise TrainingError("--prime and --data belong together: give both or neither")


def generate(run_dir: str, request: GenerationOptions) -> dict[str, Any]:
    """Writes OUTPUT.wav, OUTPUT.png and OUTPUT.json, and returns what the last one says.

    The same run, request and machine make the same bytes.
    """
    trained = load_trained(run_dir)
    config = trained.run.features
    length = round(request.seconds * config.sample_rate)
    frames = config.frame_count(length)
    prime = _prime(request, trained)
    warm_up = 0 if prime is not None else round(WARM_UP_SECONDS * config.frames_per_second)
    levels = sample_levels(
        trained.model,
        warm_up + frames,
        seed=request.seed,
        temperature=request.temperature,
        prime=prime,
    )[warm_up:]
    samples = mel_to_audio(dequantize(levels), config, length=length, seed=request.seed)
    wav, gain = wav_bytes(samples, config.sample_rate)
    heard = samples * gain
    provenance = _provenance(trained, request, heard, gain)

    Storage(request.output.absolute().parent).write_bytes(request.output.name, wav)
    title = f"{trained.run.model.kind}, step {trained.step}, seed {request.seed}"
    save_picture(
        request.output.with_suffix(".png"), log_mel_of(heard, config), heard, config, title
    )
    text = json.dumps(provenance, indent=1, sort_keys=True)
    request.output.with_suffix(".json").write_text(text + "\n")
    return json.loads(text)


def _provenance(
    trained: Trained, request: GenerationOptions, samples: NDArray[np.float32], gain: float
) -> dict[str, Any]:
    run = trained.run
    return {
        "audio": request.output.name,
        "seconds": request.seconds,
        "seed": request.seed,
        "temperature": request.temperature,
        "primed_by": request.prime,
        "model": dataclasses.asdict(run.model),
        "training": dataclasses.asdict(run.training),
        "checkpoint": trained.checkpoint,
        "step": trained.step,
        "dataset_fingerprint": run.fingerprint,
        "features": run.features.to_dict(),
        "packages": {name: importlib.import_module(name).__version__ for name in PACKAGES},
        "rms_db": float(20 * np.log10(max(1e-9, np.sqrt(np.mean(samples.astype(float) ** 2))))),
        "gain": gain,
        **dataclasses.asdict(spectral_summary(log_mel_of(samples, run.features), run.features)),
    }


def _prime(request: GenerationOptions, trained: Trained) -> NDArray[np.int32] | None:
    """The levels of the valid frames of the first window of the recording asked for."""
    if request.prime is None or request.data is None:
        return None
    ids: set[str] = set()
    for split in SPLITS:
        reader = open_dataset(request.data, split, batch_size=1, memory_bytes=request.memory_bytes)
        trained.run.require_features(reader.dataset.config, where=request.data)
        place = reader.find(request.prime)
        if place is not None:
            window = reader[place]
            return quantize(window.features["log_mel"][: window.valid_frames])
        ids.update(reader.recording_ids)
    raise TrainingError(
        f"{request.data}: holds no recording {request.prime!r}; some of those it holds: "
        f"{', '.join(sorted(ids)[:_IDS_SHOWN])}"
    )
