"""The stages of a step of the default recipe, each alone, in milliseconds of CPU time.

python -m benchmarks.steps.stages DATASET
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

import tensorflow as tf

from benchmarks.steps.names import READING
from schemas import Dataset
from training import open_dataset
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.fitting.batches import training_batches
from training.models import FrameModel, NegativeLogLikelihood
from training.models.hearing import delayed, features
from training.models.likelihood import Mixture
from training.runs import Run
from training.train import new_model

ROUNDS = 20
BATCHES = 200


Example = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def reading_ms(batches: Iterator[Example]) -> float:
    """CPU milliseconds of a batch, of all threads: others are read ahead meanwhile."""
    for _ in range(BATCHES // 10):
        next(batches)
    started = time.process_time()
    for _ in range(BATCHES):
        next(batches)
    return 1000 * (time.process_time() - started) / BATCHES


def computing(model: FrameModel, example: Example) -> dict[str, Callable[[], object]]:
    """What each stage of a step does once its batch is read, on the values that it is given."""
    log_mel, _, weights = example
    likelihood, hearing = NegativeLogLikelihood(), model.hearing

    def hear() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        true = hearing(log_mel)
        heard, level = model.input_noise(true, training=True)
        frames = delayed(heard)
        return true, frames, features(frames, delayed(frames), level)

    def trunk(inputs: tf.Tensor) -> tf.Tensor:
        for layer in model.trunk:
            inputs = layer(inputs)
        return inputs

    def loss(hidden: tf.Tensor) -> tf.Tensor:
        mixture = model.head(hidden, [frames] * model.config.components, true)
        means = tuple(map(hearing.to_db, mixture.means))
        packed = Mixture(mixture.logits, means, mixture.log_scales).pack()
        return likelihood(log_mel, packed, sample_weight=weights)

    true, frames, inputs = hear()
    hidden = trunk(inputs)
    upstream = _random(hidden)
    gradients = [_random(each) for each in model.trainable_variables]
    return {
        "normalization and noise": tf.function(hear),
        "trunk, forward and backward": _gradient(
            lambda: trunk(inputs) * upstream,
            [each for layer in model.trunk for each in layer.trainable_variables],
        ),
        "head and likelihood, forward and backward": _gradient(
            lambda: loss(hidden), model.head.trainable_variables, [hidden]
        ),
        "clipping and Adam": tf.function(
            lambda: model.optimizer.apply(gradients, model.trainable_variables)
        ),
    }


def _random(like: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_normal(like.shape, [0, 0])


def _gradient(
    function: Callable[[], tf.Tensor], weights: Sequence[Any], inputs: Sequence[tf.Tensor] = ()
) -> Callable[[], object]:
    def gradient() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = function()
        return tape.gradient(value, [*weights, *inputs])

    return tf.function(gradient)


def median_ms(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU milliseconds of all threads: medians of `ROUNDS`, after one that compiles."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS + 1):
        for name, work in works.items():
            started = time.process_time()
            work()
            if number:
                found[name].append(1000 * (time.process_time() - started))
    return {name: median(each) for name, each in found.items()}


def main(data: str) -> None:
    training = TrainingConfig(decay_steps=LoopConfig().steps)
    model = new_model(Run.of(Dataset(data), FrameModelConfig(), training))
    reader = open_dataset(data, batch_size=training.batch_size, seed=training.seed)
    batches = iter(training_batches(reader, training, 0))
    reading = reading_ms(batches)
    print(json.dumps({READING: reading, **median_ms(computing(model, next(batches)))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
