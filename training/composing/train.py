"""Training a composer: `fit` over transposed windows, and the folder that comes of it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from musicnet_duet.outputs import COMPOSER_FILE
from musicnet_duet.progress import ProgressDisplay
from schemas import Dataset, Storage
from schemas.storage import writing
from training.composing.config import ComposerConfig, ComposerTraining
from training.composing.midi_rolls import MidiWindows, read_pieces
from training.composing.model import BitsPerFrame, Composer, RollLikelihood, composing_example
from training.composing.runs import METRICS_FILE, MODEL_FILE, ComposerRun
from training.composing.states import transposed
from training.composing.windows import open_rolls
from training.errors import TrainingError
from training.fitting.metrics import MetricsFile
from training.models.schedules import WarmUpCosine
from training.reading.reader import Reader
from training.runs import require_new, run_versions

TRANSPOSITIONS = (-6, 5)
"""In semitones: all twelve keys."""

_CLIP_NORM = 1.0
_EMA = 0.98
_TRANSPOSE, _MIX = 1, 2
"""They keep draws apart that have the same seed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComposerResult:
    """How the training ended. Bits are per frame: those of the last step, and of validation.

    `validation_bits` is None where the dataset has no validation windows. `midi_windows` are those
    of MIDI files beside the `windows` of the dataset.
    """

    run_dir: str
    steps: int
    windows: int
    midi_windows: int
    bits: float
    validation_bits: float | None
    seconds: float
    damaged_windows: list[str]
    damaged_count: int


def train_composer(
    data: str,
    run_dir: str,
    model_config: ComposerConfig,
    training: ComposerTraining,
    *,
    midi: str | None = None,
) -> ComposerResult:
    """Trains a composer on the notes of a dataset, and writes its run; see `runs`.

    `midi` is a folder of MIDI files; their windows are mixed with the dataset's by their numbers.
    The weights depend on the data, `model_config` and `training` alone; the run appears when the
    training is over. Raises `TrainingError` when `run_dir` holds a run, when the dataset has no
    notes, when the memory budget is too small, and when the loss is no longer finite.
    """
    require_new(run_dir, files=(MODEL_FILE, METRICS_FILE))
    dataset = Dataset(data)
    splits = [each for each in ("train", "validation") if dataset.manifest.splits[each].windows]
    reader, *validation = open_rolls(
        dataset,
        splits,
        batch_size=training.batch_size,
        memory_bytes=training.memory_bytes,
        seed=training.seed,
    )
    pieces = [] if midi is None else read_pieces(midi)
    windows = MidiWindows(pieces, dataset.config)
    started = time.perf_counter()
    model = _new_model(dataclasses.replace(model_config, seed=training.seed), training)
    followed = _Follow(training.steps)
    with followed.shown:
        model.fit(
            training_batches(reader, windows, training, model.config),
            steps_per_epoch=training.steps,
            shuffle=False,
            verbose=0,
            callbacks=[followed],
        )
    model.optimizer.finalize_variable_values(model.trainable_variables)
    bits = None
    if validation:
        examples = validation[0].as_tf_dataset(composing_example(model.config))
        bits = float(model.evaluate(examples, verbose=0, return_dict=True)["bits"])
    run = ComposerRun(
        model=model.config,
        training=training,
        sample_rate=dataset.config.sample_rate,
        hop_length=dataset.config.hop_length,
        window_frames=dataset.config.window_frames,
        fingerprint=dataset.manifest.fingerprint,
        midi_files=len(pieces),
        validation_bits=bits,
        packages=run_versions(),
    )
    _write(Path(run_dir), run, model, followed.bits)
    readers = [reader, *validation]
    return ComposerResult(
        run_dir=run_dir,
        steps=training.steps,
        windows=len(reader),
        midi_windows=len(windows),
        bits=followed.bits[-1],
        validation_bits=bits,
        seconds=time.perf_counter() - started,
        damaged_windows=[line for each in readers for line in each.damaged],
        damaged_count=sum(each.damaged_count for each in readers),
    )


def training_batches(
    reader: Reader, midi: MidiWindows, training: ComposerTraining, config: ComposerConfig
) -> tf.data.Dataset:
    """Inputs, targets and weights for `fit`, without end, each window transposed at random."""
    batches = reader.as_tf_dataset(
        lambda batch: {name: batch[name] for name in ("notes", "onsets", "weights")},
        state={"epoch": 0, "position": 0},
    )
    if len(midi):
        total = len(reader) + len(midi)
        batches = tf.data.Dataset.sample_from_datasets(
            [batches, midi.batches(training.batch_size, training.seed)],
            [len(reader) / total, len(midi) / total],
            seed=training.seed ^ _MIX,
        )
    example = composing_example(config)

    def transposed_example(number: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> Any:
        seed = tf.stack([training.seed, tf.cast(number, tf.int32)])
        seed = tf.random.experimental.stateless_fold_in(seed, _TRANSPOSE)
        low, high = TRANSPOSITIONS
        rows = tf.shape(batch["notes"])[:1]
        semitones = tf.random.stateless_uniform(rows, seed, low, high + 1, tf.int32)
        moved = {name: transposed(batch[name], semitones) for name in ("notes", "onsets")}
        return example({**batch, **moved})

    return batches.enumerate().map(transposed_example)


def _new_model(config: ComposerConfig, training: ComposerTraining) -> Composer:
    """A model with fresh weights, and with its optimizer."""
    model = Composer(config)
    model.build()
    optimizer = keras.optimizers.Adam(
        WarmUpCosine(training.learning_rate, training.warmup_steps, training.steps),
        global_clipnorm=_CLIP_NORM,
        use_ema=True,
        ema_momentum=_EMA,
    )
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, RollLikelihood(), weighted_metrics=[BitsPerFrame()], jit_compile=False)
    return model


class _Follow(keras.callbacks.Callback):
    """Shows the progress, and keeps the bits of each step."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.shown = ProgressDisplay("training", unit="steps", total=steps)
        self.bits: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        bits = float((logs or {})["bits"])
        if not math.isfinite(bits):
            raise TrainingError(
                f"the loss of step {batch + 1} is not finite; train again with another seed"
            )
        self.bits.append(bits)
        self.model.reset_metrics()  # The next step's bits are its own.
        self.shown.update(figures=f"{bits:.3f} bits per frame")


def _write(folder: Path, run: ComposerRun, model: Composer, bits: list[float]) -> None:
    """Writes the files of the run; `composer.json`, which makes it a run, comes last."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        metrics = MetricsFile(folder / METRICS_FILE, done=0)
        for step, each in enumerate(bits, start=1):
            metrics.write(step, {"bits": each})
        model.save(folder / MODEL_FILE)
    Storage(folder).write_bytes(COMPOSER_FILE, run.to_json())
