"""Transcription: a sound becomes a MIDI file, a picture, and their provenance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from musicnet_duet import progress
from musicnet_duet.outputs import require_free, write_together
from musicnet_duet.plots import Sound, draw
from training.errors import TrainingError
from training.inversion.audio import read_audio
from training.midi import write_midi
from training.rolls import note_frames
from training.runs import installed_versions
from training.transcription.config import TranscriberConfig
from training.transcription.decoding import Thresholds, decode
from training.transcription.predicting import chances_of_sound
from training.transcription.run import load_run

PACKAGES = ("keras", "librosa", "numpy", "scipy", "soundfile", "tensorflow")


@dataclasses.dataclass(frozen=True)
class Transcript:
    """What made a MIDI file: `audio` and `midi` are the names of files, `packages` versions."""

    audio: str
    config: TranscriberConfig
    dataset_fingerprint: str
    features: Mapping[str, Any]
    midi: str
    notes: int
    packages: Mapping[str, str]
    seconds: float
    thresholds: Thresholds


def transcribe(audio: Path, run_dir: str, output: Path, *, overwrite: bool = False) -> Transcript:
    """Writes OUTPUT.mid, OUTPUT.png and OUTPUT.json, and returns what the last one says.

    `audio` is any file that soundfile reads; it is resampled to the rate of the run's features. All
    three files appear or none, and replace others with `overwrite` only. The same sound and run
    make the same bytes. Beyond the sound itself, it takes 4 KB of memory per frame. Raises
    `TrainingError` where there is no transcriber or the sound cannot be read, `OutputError` where
    one of the files may not be written, and `DatasetError` where the disk is full.
    """
    if output.suffix.lower() != ".mid":
        raise TrainingError(f"output={output} must be the name of a .mid file")
    picture_path, json_path = output.with_suffix(".png"), output.with_suffix(".json")
    paths = [output, picture_path, json_path]
    require_free(paths, overwrite=overwrite)
    run, model = load_run(run_dir)
    features = run.features
    samples = read_audio(audio, features)
    note_chances, onset_chances, log_mel = chances_of_sound(model, samples, features, _shown)
    rate = features.frames_per_second
    notes = decode(note_chances, onset_chances, run.thresholds, rate)
    transcript = Transcript(
        audio=audio.name,
        config=run.config,
        dataset_fingerprint=run.fingerprint,
        features=features.to_dict(),
        midi=output.name,
        notes=len(notes),
        packages=installed_versions(PACKAGES),
        seconds=len(samples) / features.sample_rate,
        thresholds=run.thresholds,
    )
    text = json.dumps(dataclasses.asdict(transcript), indent=1, sort_keys=True)
    frames = len(log_mel)
    sounding, begins = note_frames(notes, features).piano_rolls(0, frames, frames)
    sound = Sound(
        title=f"{audio.name}: {len(notes)} notes",
        log_mel=log_mel,
        samples=samples,
        notes=sounding,
        onsets=begins,
    )
    picture = draw([sound], features)
    require_free(paths, overwrite=overwrite)
    write_together(
        {output: write_midi(notes), picture_path: picture, json_path: f"{text}\n".encode()}
    )
    return transcript


def _shown(batches: Sequence[range]) -> Iterable[range]:
    return progress.each(batches, "transcribing", unit="batches", total=len(batches))
