"""What a model hears in the windows of a dataset, and in a sound of any length."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from musicnet_duet import progress
from schemas import FeatureConfig
from schemas.features import N_PITCHES, WAVEFORM_SCALE
from training.errors import TrainingError
from training.inversion.audio import audio_to_log_mel
from training.reading.reader import Reader
from training.transcription.model import OUTPUTS, model_inputs
from training.transcription.scores import Heard

_WINDOWS_AT_ONCE = 8


def hear(model: keras.Model, reader: Reader) -> dict[str, Heard]:
    """What the model makes of each recording of a split, window by window.

    It takes 1.3 KB of memory per frame. Raises `TrainingError` where the split holds no window.
    """
    predict = _compiled(model)
    parts: dict[str, list[tuple[int, dict[str, NDArray[Any]]]]] = {}
    total = -(-len(reader) // reader.options.batch_size)
    for batch in progress.each(reader.in_order(), "transcribing", unit="batches", total=total):
        chances = predict(model_inputs(batch))
        rows = zip(
            *(batch[name] for name in ("recording_id", "first_frame", "valid_frames")), strict=True
        )
        for row, (name, first, valid) in enumerate(rows):
            arrays = {f"true {each}": batch[each][row, :valid].copy() for each in OUTPUTS}
            arrays |= {each: chances[each][row, :valid].numpy() for each in OUTPUTS}
            parts.setdefault(str(name), []).append((int(first), arrays))
    if not parts:
        raise TrainingError(
            f"{reader.dataset.storage.root}: split {reader.options.split!r} holds no windows; "
            "choose another split"
        )
    return {name: _joined(parts[name]) for name in sorted(parts)}


def chances_of_sound(
    model: keras.Model,
    samples: NDArray[np.float32],
    features: FeatureConfig,
    shown: Callable[[Sequence[range]], Iterable[range]] = iter,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The chances of notes and of onsets [frames, 128], and the log-mels [frames, n_mels].

    `samples` are mono, at the features' rate, of full scale 1; all results are float32. The model
    hears windows as long as those of its training, each from the middle of the one before on, and
    of each frame the window counts in which it is farther from the ends. `shown` goes through the
    batches and may show how far it is.
    """
    log_mel = audio_to_log_mel(samples, features)
    frames, length = len(log_mel), features.window_frames
    stride = max(1, length // 2)
    firsts = range(0, max(1, frames - length + stride), stride)
    predict = _compiled(model)
    found = {name: np.empty((frames, N_PITCHES), np.float32) for name in OUTPUTS}
    batches = [firsts[at : at + _WINDOWS_AT_ONCE] for at in range(0, len(firsts), _WINDOWS_AT_ONCE)]
    for batch in shown(batches):
        windows = [_window(samples, log_mel, first, features) for first in batch]
        inputs = {name: np.stack([window[name] for window in windows]) for name in windows[0]}
        chances = predict({name: inputs[name] for name in model.input})
        for row, first in enumerate(batch):
            begin = first + (length - stride) // 2 if first else 0
            for name in OUTPUTS:
                part = chances[name][row, begin - first : frames - first].numpy()
                found[name][begin : begin + len(part)] = part
    return found["notes"], found["onsets"], log_mel


def _window(
    samples: NDArray[np.float32], log_mel: NDArray[np.float32], first: int, config: FeatureConfig
) -> dict[str, NDArray[np.float32]]:
    """A window as a dataset holds it, padded behind the end of the sound."""
    length, hop = config.window_frames, config.hop_length
    mels = np.full((length, config.n_mels), config.floor_db, np.float32)
    part = log_mel[first : first + length]
    mels[: len(part)] = part
    waveform = np.zeros(length * hop, np.float32)
    heard = samples[first * hop : (first + length) * hop]
    scaled = np.clip(np.rint(heard * WAVEFORM_SCALE), -WAVEFORM_SCALE, WAVEFORM_SCALE - 1)
    waveform[: len(heard)] = scaled / WAVEFORM_SCALE
    return {"log_mel": mels, "waveform": waveform}


@functools.lru_cache(maxsize=1)
def _compiled(model: keras.Model) -> Any:
    """The model's chances of notes and onsets, from 0 to 1; compiled once for many sounds."""

    def predict(inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        return {name: tf.sigmoid(logits) for name, logits in model(inputs).items()}

    return tf.function(predict, reduce_retracing=True)


def _joined(parts: list[tuple[int, dict[str, NDArray[Any]]]]) -> Heard:
    """The windows of a recording one after the other; frames of two windows count in the later."""
    ordered = sorted(parts, key=lambda part: part[0])
    following = [first for first, _ in ordered[1:]]
    ends = [after - first for (first, _), after in zip(ordered, following, strict=False)]
    joined = {
        name: np.concatenate(
            [arrays[name][:end] for (_, arrays), end in zip(ordered, [*ends, None], strict=True)]
        )
        for name in ordered[0][1]
    }
    return Heard(
        notes=joined["true notes"],
        onsets=joined["true onsets"],
        note_chances=joined["notes"],
        onset_chances=joined["onsets"],
    )
