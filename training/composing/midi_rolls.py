"""Piano rolls of a folder of MIDI files, in batches such as a reader of a dataset gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.features import N_PITCHES
from training.config import is_midi
from training.errors import TrainingError
from training.midi import Note, read_midi
from training.rolls import note_frames


def read_pieces(folder: str) -> list[list[Note]]:
    """The notes of each MIDI file in a folder and in those inside it, in the order of their paths.

    Raises `TrainingError` where there is none, or one cannot be read.
    """
    found = sorted(each for each in Path(folder).rglob("*") if is_midi(each.name))
    if not found:
        raise TrainingError(f"{folder}: holds no .mid or .midi file; choose another folder")
    return [_notes_of(path) for path in found]


@dataclasses.dataclass(frozen=True, eq=False)
class MidiWindows:
    """Windows of pieces, as many frames each as those of a dataset with the features `config`.

    The notes of all pieces are in memory, and the rolls of one piece at a time.
    """

    pieces: Sequence[Sequence[Note]]
    config: FeatureConfig

    def __len__(self) -> int:
        """The number of windows."""
        return sum(map(self._count, self.pieces))

    def batches(self, batch_size: int, seed: int) -> tf.data.Dataset:
        """Batches of `notes`, `onsets` and `weights` without end, each epoch in another order."""
        rolls = tf.TensorSpec([self.config.window_frames, N_PITCHES], tf.uint8)
        weights = tf.TensorSpec([self.config.window_frames], tf.float32)
        signature = {"notes": rolls, "onsets": rolls, "weights": weights}
        windows = tf.data.Dataset.from_generator(
            lambda: self._windows(seed), output_signature=signature
        )
        return windows.batch(batch_size, drop_remainder=True)

    def _windows(self, seed: int) -> Iterator[dict[str, NDArray[np.generic]]]:
        generator = np.random.default_rng(seed)
        numbered = [
            (piece, number)
            for piece, notes in enumerate(self.pieces)
            for number in range(self._count(notes))
        ]
        while True:
            for index in generator.permutation(len(numbered)):
                yield self._window(*numbered[index])

    def _window(self, piece: int, number: int) -> dict[str, NDArray[np.generic]]:
        frames = self.config.window_frames
        first = number * frames
        drawn = note_frames(self.pieces[piece], self.config)
        valid = min(frames, int(drawn.stop.max()) - first)
        notes, onsets = drawn.piano_rolls(first, frames, valid)
        weights = (np.arange(frames) < valid).astype(np.float32)
        return {"notes": notes, "onsets": onsets, "weights": weights}

    def _count(self, notes: Sequence[Note]) -> int:
        frames = int(note_frames(notes, self.config).stop.max(initial=0))
        return -(-frames // self.config.window_frames)


def _notes_of(path: Path) -> list[Note]:
    try:
        return read_midi(path.read_bytes(), where=str(path))
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be read: {error.strerror}; remove it, or make it readable"
        ) from error
