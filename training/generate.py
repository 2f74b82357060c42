"""Generation: a free-running sample becomes a WAV, a picture, and their provenance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicnet_duet.outputs import require_free, write_together
from musicnet_duet.plots import Sound, draw
from schemas import Dataset, FeatureConfig
from schemas.shards import SPLITS
from training.config import (
    DEFAULT_CHECKPOINT,
    DEFAULT_MEMORY_BYTES,
    FrameModelConfig,
    TrainingConfig,
    is_midi,
)
from training.errors import TrainingError
from training.grid import dequantize, quantize
from training.inversion import audio_to_log_mel, mel_to_audio, wav_bytes
from training.midi import write_midi
from training.models.sampling import sample_levels, sampling_of
from training.models.score import Score
from training.novelty import spectral_summary
from training.reading.opening import open_dataset
from training.rolls import notes_of_rolls
from training.runs import installed_versions
from training.scores import score_of_composer, score_of_midi, score_of_recording
from training.trained_model import Trained, load_trained
from training.validation import MAX_BYTES, MAX_SEED, real_number, shown, whole_number

if TYPE_CHECKING:
    from training.composing.runs import ComposerRun

PACKAGES = ("keras", "librosa", "numpy", "scipy", "soundfile", "tensorflow")

WARM_UP_SECONDS = 1.0
"""A sample that begins from nothing needs a moment to become music; this much is left out."""

FADING_SECONDS = 1.0
"""How much follows a score's last note."""

DEFAULT_SECONDS = 10.0

_BESIDE = ("png", "json", "mid")

_IDS_SHOWN = 10

_SOURCES = ("prime", "score", "composer")

MIN_SECONDS = 0.1
MAX_SECONDS = 3_600.0
MIN_TEMPERATURE = 1e-4
MAX_TEMPERATURE = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """What to generate: `seconds` of sound into the WAV file `output`.

    `temperature` 1 samples from the model; less makes every level nearer to the likeliest.
    `prime` is the id of a recording in the dataset `data`; its first window is the model's input
    before the sample. `score` is what a model that hears notes plays: a MIDI file, or the id of a
    recording in `data`. `composer` is the run of a composer, which makes up a score. None for
    `seconds` means `DEFAULT_SECONDS`, or all of a score; None for
    `temperature` means the default with or without a score. `checkpoint` is that of
    `trained_model.load_trained`. Files that exist are replaced with `overwrite` only. Raises
    `TrainingError` when a value is impossible.
    """

    output: Path
    seconds: float | None = None
    seed: int = 0
    temperature: float | None = None
    data: str | None = None
    prime: str | None = None
    score: str | None = None
    composer: str | None = None
    checkpoint: str | int = DEFAULT_CHECKPOINT
    overwrite: bool = False
    memory_bytes: int = DEFAULT_MEMORY_BYTES

    def __post_init__(self) -> None:
        if self.seconds is not None:
            real_number("seconds", self.seconds, MIN_SECONDS, MAX_SECONDS)
        if self.temperature is not None:
            real_number("temperature", self.temperature, MIN_TEMPERATURE, MAX_TEMPERATURE)
        whole_number("seed", self.seed, 0, MAX_SEED)
        whole_number("memory_bytes", self.memory_bytes, 1, MAX_BYTES)
        if self.output.suffix.lower() != ".wav":
            raise TrainingError(f"output={self.output} must be the name of a .wav file")
        sources = [each for each in _SOURCES if getattr(self, each) is not None]
        if len(sources) > 1:
            raise TrainingError(f"{' and '.join(sources)}: give one of them")
        if self.score is None:
            if (self.prime is None) != (self.data is None):
                raise TrainingError("prime and data belong together: give both or neither")
        elif is_midi(self.score) == (self.data is not None):
            raise TrainingError(
                f"score={shown(self.score)}: give data with a recording of it, and not with a MIDI "
                "file, which ends in .mid"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """What made a sound, and what it is like.

    `audio` is the name of its file, `primed_by` the recording of `GenerationOptions.prime`. `score`
    is that of `GenerationOptions`, `composed_by` its `composer`, and `composer` what that was
    trained with, as its run says.
    `checkpoint` and `step` those of the model; `leak`, `noise_level` and `temperature` are those of
    `SamplingConfig`. `features` is that of `FeatureConfig.to_dict`, and `packages` are versions.
    `gain` is what the samples were multiplied by, `rms_db` their level in dB of full scale;
    `level_db`, `centroid_hz` and `spread_hz` are those of `novelty.SpectralSummary`.
    """

    audio: str
    centroid_hz: float
    checkpoint: str
    composed_by: str | None
    composer: Mapping[str, Any] | None
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
    score: str | None
    seconds: float
    seed: int
    spread_hz: float
    step: int
    temperature: float
    training: TrainingConfig


def generate(run_dir: str, options: GenerationOptions) -> Provenance:
    """Writes OUTPUT.wav, OUTPUT.png and OUTPUT.json, and returns what the last one says.

    Where the score is composed, OUTPUT.mid as well. All appear or none. The same run, options and
    machine make the same bytes (on a GPU, after `process.make_deterministic`). Raises
    `TrainingError` where there is no trained model, no recording `prime`, or no score that the
    model can play, `OutputError` where one of the files may not be written, and `DatasetError`
    where the disk is full.
    """
    wav_path = options.output
    png_path, json_path, midi_path = (wav_path.with_suffix(f".{each}") for each in _BESIDE)
    paths = [wav_path, png_path, json_path, *([midi_path] if options.composer else [])]
    require_free(paths, overwrite=options.overwrite)
    trained = load_trained(run_dir, options.checkpoint)
    config = trained.run.features
    prime = _prime(options, trained)
    score, composer = _score(options, trained)
    seconds = _seconds(options, score, config)
    length = round(seconds * config.sample_rate)
    frames = config.frame_count(length)
    begins = prime is None and score is None
    warm_up = round(WARM_UP_SECONDS * config.frames_per_second) if begins else 0
    sampling = sampling_of(trained.model.config, options.temperature)
    levels = sample_levels(
        trained.model,
        warm_up + frames,
        seeds=[options.seed],
        config=sampling,
        prime=prime,
        score=score,
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
        composed_by=options.composer,
        composer=None if composer is None else dataclasses.asdict(composer),
        dataset_fingerprint=run.fingerprint,
        features=config.to_dict(),
        gain=gain,
        model=run.model,
        packages=installed_versions(PACKAGES),
        primed_by=options.prime,
        rms_db=float(20 * np.log10(max(1e-9, rms))),
        score=options.score,
        seconds=float(seconds),
        seed=int(options.seed),
        step=trained.step,
        training=run.training,
        **dataclasses.asdict(sampling),
        **dataclasses.asdict(spectral_summary(log_mel, config)),
    )
    text = json.dumps(dataclasses.asdict(provenance), indent=1, sort_keys=True)
    title = f"{trained.run.model.recurrent}, step {trained.step}, seed {options.seed}"
    if options.score is not None:
        title += f", plays {Path(options.score).name}"
    heard = {} if score is None else _drawn_notes(score, len(log_mel))
    picture = draw([Sound(title=title, log_mel=log_mel, samples=samples, **heard)], config)
    contents = {wav_path: wav, png_path: picture, json_path: f"{text}\n".encode()}
    if options.composer is not None and score is not None:
        notes = notes_of_rolls(score.notes[0], score.onsets[0], config.frames_per_second)
        contents[midi_path] = write_midi(notes)
    require_free(paths, overwrite=options.overwrite)
    write_together(contents)
    return provenance


def _score(options: GenerationOptions, trained: Trained) -> tuple[Score | None, ComposerRun | None]:
    """The score that the model plays, None for a model that hears none; and who composed it."""
    hears, config = trained.model.config.hears, trained.run.features
    source = options.composer if options.score is None else options.score
    if source is None:
        if "notes" in hears:
            raise TrainingError(
                f"{options.output}: the model plays notes, so it needs a score: a MIDI file, or a "
                "recording of a dataset, given as score, or a composer"
            )
        return None, None
    if "notes" not in hears:
        raise TrainingError(
            f"{source}: the model hears {' and '.join(hears)}, and no notes, so it plays no score; "
            "train one that hears notes"
        )
    if options.composer is not None:
        frames = _frames(DEFAULT_SECONDS if options.seconds is None else options.seconds, config)
        return score_of_composer(options.composer, config, frames, options.seed)
    if options.data is None:
        return score_of_midi(source, config, _frames(MAX_SECONDS, config)), None
    dataset = Dataset(options.data)
    trained.run.require_features(dataset)
    return score_of_recording(dataset, source), None


def _frames(seconds: float, config: FeatureConfig) -> int:
    return config.frame_count(round(seconds * config.sample_rate))


def _seconds(options: GenerationOptions, score: Score | None, config: FeatureConfig) -> float:
    """The length that was asked for, or that of the score and of a second in which it fades."""
    if options.seconds is not None:
        return options.seconds
    if score is None or options.composer is not None:
        return DEFAULT_SECONDS
    frames = score.notes.shape[1]
    return min(MAX_SECONDS, frames / config.frames_per_second + FADING_SECONDS)


def _drawn_notes(score: Score, frames: int) -> dict[str, NDArray[np.uint8]]:
    part = score.frames(0, frames)
    return {"notes": part.notes[0], "onsets": part.onsets[0]}


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
