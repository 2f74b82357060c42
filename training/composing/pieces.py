"""Composed pieces as files: MIDI, a picture, and their provenance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from musicnet_duet.outputs import require_free, write_together
from musicnet_duet.piano_roll import draw_piano_roll
from musicnet_duet.progress import ProgressDisplay
from training.composing.config import ComposerConfig, ComposerTraining
from training.composing.measures import roll_measures
from training.composing.runs import load_composer
from training.composing.sampling import compose
from training.composing.states import states_of
from training.errors import TrainingError
from training.midi import write_midi
from training.rolls import notes_of_rolls
from training.runs import installed_versions
from training.validation import MAX_SEED, real_number, whole_number

PACKAGES = ("keras", "numpy", "tensorflow")

MIN_SECONDS, MAX_SECONDS = 0.1, 3_600.0
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-4, 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class PieceOptions:
    """What to compose: `seconds` of notes into the MIDI file `output`.

    `temperature` is that of `compose`. Files that exist are replaced with `overwrite` only. Raises
    `TrainingError` when a value is impossible.
    """

    seconds: float
    output: Path
    seed: int = 0
    temperature: float = 1.0
    overwrite: bool = False

    def __post_init__(self) -> None:
        real_number("seconds", self.seconds, MIN_SECONDS, MAX_SECONDS)
        real_number("temperature", self.temperature, MIN_TEMPERATURE, MAX_TEMPERATURE)
        whole_number("seed", self.seed, 0, MAX_SEED)
        if self.output.suffix.lower() != ".mid":
            raise TrainingError(f"output={self.output} must be the name of a .mid file")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PieceProvenance:
    """What made a piece, and what it is like.

    `midi` is the name of its file, `notes` the number of its notes, and `measures` are those of
    `measures.roll_measures` over the whole piece. `dataset_fingerprint` and `midi_files` say what
    the model was trained on. `packages` are versions.
    """

    midi: str
    notes: int
    seconds: float
    seed: int
    temperature: float
    frames_per_second: float
    measures: Mapping[str, float]
    model: ComposerConfig
    training: ComposerTraining
    dataset_fingerprint: str
    midi_files: int
    packages: Mapping[str, str]


def compose_piece(run_dir: str, options: PieceOptions) -> PieceProvenance:
    """Writes OUTPUT.mid, OUTPUT.png and OUTPUT.json, and returns what the last one says.

    All three appear or none. The same run, options and machine make the same bytes. Raises
    `TrainingError` where there is no composer, `OutputError` where one of the files may not be
    written, and `DatasetError` where the disk is full.
    """
    midi_path = options.output
    png_path, json_path = midi_path.with_suffix(".png"), midi_path.with_suffix(".json")
    paths = [midi_path, png_path, json_path]
    require_free(paths, overwrite=options.overwrite)
    run, model = load_composer(run_dir)
    rate = run.frames_per_second
    frames = max(1, round(options.seconds * rate))
    with ProgressDisplay("composing", unit="frames", total=frames) as shown:
        rolls = compose(
            model,
            frames,
            seeds=[options.seed],
            temperature=options.temperature,
            progress=shown.update,
        )
    notes, onsets = (each[0] for each in rolls)
    found = notes_of_rolls(notes, onsets, rate)
    states = states_of(notes, onsets, run.model.pitches).numpy()
    provenance = PieceProvenance(
        midi=midi_path.name,
        notes=len(found),
        seconds=float(options.seconds),
        seed=int(options.seed),
        temperature=float(options.temperature),
        frames_per_second=rate,
        measures=roll_measures(states, run.model.pitches[0], rate),
        model=run.model,
        training=run.training,
        dataset_fingerprint=run.fingerprint,
        midi_files=run.midi_files,
        packages=installed_versions(PACKAGES),
    )
    text = json.dumps(dataclasses.asdict(provenance), indent=1, sort_keys=True)
    title = f"composed after {run.training.steps} steps, seed {options.seed}"
    picture = draw_piano_roll(notes, onsets, rate, title=title)
    write_together(
        {midi_path: write_midi(found), png_path: picture, json_path: f"{text}\n".encode()}
    )
    return provenance
