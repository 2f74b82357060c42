"""Generation: a free-running sample becomes a WAV, a picture, and their provenance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicnet_duet.outputs import require_free, write_together
from musicnet_duet.plots import Sound, draw
from schemas import Dataset
from schemas.shards import SPLITS
from training.config import (
    DEFAULT_CHECKPOINT,
    DEFAULT_MEMORY_BYTES,
    DEFAULT_TEMPERATURE,
    FrameModelConfig,
    TrainingConfig,
)
from training.errors import TrainingError
from training.grid import dequantize, quantize
from training.inversion import audio_to_log_mel, mel_to_audio, wav_bytes
from training.models.sampling import SamplingConfig, sample_levels
from training.novelty import spectral_summary
from training.reading.opening import open_dataset
from training.runs import installed_versions
from training.trained_model import Trained, load_trained
from training.validation import MAX_BYTES, MAX_SEED, real_number, whole_number

PACKAGES = ("keras", "librosa", "numpy", "scipy", "soundfile", "tensorflow")

WARM_UP_SECONDS = 1.0
"""A sample that begins from nothing needs a moment to become music; this much is left out."""

_IDS_SHOWN = 10


MIN_SECONDS = 0.1
MAX_SECONDS = 3_600.0
MIN_TEMPERATURE = 1e-4
MAX_TEMPERATURE = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """What to generate: `seconds` of sound into the WAV file `output`.

    `temperature` 1 samples from the model; less makes every level nearer to the likeliest.
    `prime` is the id of a recording in the dataset `data`; its first window is the model's input
    before the sample. `checkpoint` is that of `trained_model.load_trained`. Files that exist are
    replaced with `overwrite` only. Raises `TrainingError` when a value is impossible.
    """

    seconds: float
    output: Path
    seed: int = 0
    temperature: float = DEFAULT_TEMPERATURE
    data: str | None = None
    prime: str | None = None
    checkpoint: str | int = DEFAULT_CHECKPOINT
    overwrite: bool = False
    memory_bytes: int = DEFAULT_MEMORY_BYTES

    def __post_init__(self) -> None:
        real_number("seconds", self.seconds, MIN_SECONDS, MAX_SECONDS)
        real_number("temperature", self.temperature, MIN_TEMPERATURE, MAX_TEMPERATURE)
        whole_number("seed", self.seed, 0, MAX_SEED)
        whole_number("memory_bytes", self.memory_bytes, 1, MAX_BYTES)
        if self.output.suffix.lower() != ".wav":
            raise TrainingError(f"output={self.output} must be the name of a .wav file")
        if (self.prime is None) != (self.data is None):
            raise TrainingError("prime and data belong together: give both or neither")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """What made a sound, and what it is like.

    `audio` is the name of its file, `primed_by` the recording of `GenerationOptions.prime`, and
    `checkpoint` and `step` those of the model; `leak`, `noise_level` and `temperature` are those of
    `SamplingConfig`. `features` is that of `FeatureConfig.to_dict`, and `packages` are versions.
    `gain` is what the samples were multiplied by, `rms_db` their level in dB of full scale;
    `level_db`, `centroid_hz` and `spread_hz` are those of `novelty.SpectralSummary`.
    """

    audio: str
    centroid_hz: float
    checkpoint: str
    dataset_fingerprint: str
    features: Mapping[str, Any]
    gain: float
    leak: float
    level_db: float
    model: FrameModelConfig
    noise_level: float
    packages: Mapping[str, str]
    primed_by: str | None
    rms_db: float
    seconds: float
    seed: int
    spread_hz: float
    step: int
    temperature: float
    training: TrainingConfig


def generate(run_dir: str, options: GenerationOptions) -> Provenance:
    """Writes OUTPUT.wav, OUTPUT.png and OUTPUT.json, and returns what the last one says.

    All three appear or none. The same run, options and machine make the same bytes (on a GPU, after
    `process.make_deterministic`). Raises `TrainingError` where there is no trained model or no
    recording `prime`, `OutputError` where one of the files may not be written, and `DatasetError`
    where the disk is full.
    """
    wav_path = options.output
    png_path, json_path = wav_path.with_suffix(".png"), wav_path.with_suffix(".json")
    paths = [wav_path, png_path, json_path]
    require_free(paths, overwrite=options.overwrite)
    trained = load_trained(run_dir, options.checkpoint)
    config = trained.run.features
    length = round(options.seconds * config.sample_rate)
    frames = config.frame_count(length)
    prime = _prime(options, trained)
    warm_up = 0 if prime is not None else round(WARM_UP_SECONDS * config.frames_per_second)
    sampling = SamplingConfig.for_music(options.temperature)
    levels = sample_levels(
        trained.model, warm_up + frames, seeds=[options.seed], config=sampling, prime=prime
    )[0, warm_up:]
    samples = mel_to_audio(dequantize(levels), config, length=length, seed=options.seed)
    wav, gain = wav_bytes(samples, config.sample_rate)
    samples *= np.float32(gain)
    rms = float(np.sqrt(np.square(samples).mean(dtype=np.float64)))
    log_mel = audio_to_log_mel(samples, config)
    run = trained.run
    provenance = Provenance(
        audio=options.output.name,
        checkpoint=trained.checkpoint,
        dataset_fingerprint=run.fingerprint,
        features=config.to_dict(),
        gain=gain,
        model=run.model,
        packages=installed_versions(PACKAGES),
        primed_by=options.prime,
        rms_db=float(20 * np.log10(max(1e-9, rms))),
        seconds=float(options.seconds),
        seed=int(options.seed),
        step=trained.step,
        training=run.training,
        **dataclasses.asdict(sampling),
        **dataclasses.asdict(spectral_summary(log_mel, config)),
    )
    text = json.dumps(dataclasses.asdict(provenance), indent=1, sort_keys=True)
    title = f"{trained.run.model.recurrent}, step {trained.step}, seed {options.seed}"
    picture = draw([Sound(title=title, log_mel=log_mel, samples=samples)], config)
    require_free(paths, overwrite=options.overwrite)
    write_together({wav_path: wav, png_path: picture, json_path: f"{text}\n".encode()})
    return provenance


def _prime(options: GenerationOptions, trained: Trained) -> NDArray[np.int32] | None:
    """The first window of the recording asked for: grid indices, int32 [valid frames, n_mels]."""
    if options.prime is None or options.data is None:
        return None
    dataset = Dataset(options.data)
    trained.run.require_features(dataset)
    ids: set[str] = set()
    for split in SPLITS:
        if not dataset.manifest.splits[split].windows:
            continue
        reader = open_dataset(options.data, split, batch_size=1, memory_bytes=options.memory_bytes)
        position = reader.find(options.prime)
        if position is not None:
            window = reader[position]
            return quantize(window["log_mel"][: window["valid_frames"]])
        ids.update(reader.recording_ids)
    raise TrainingError(
        f"{options.data}: holds no recording {options.prime!r}; some of those it holds: "
        f"{', '.join(sorted(ids)[:_IDS_SHOWN])}"
    )
