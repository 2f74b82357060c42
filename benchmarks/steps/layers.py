"""Our recurrent layers beside Keras's, forward and backward, at the default size.

python -m benchmarks.steps.layers
"""

from __future__ import annotations

import json
from collections.abc import Callable

import keras
import tensorflow as tf

from benchmarks.steps.names import LAYERS
from benchmarks.steps.sizes import DEFAULT, FRAMES, MELS
from benchmarks.steps.stages import median_ms
from training.models import layers


def backward(layer: keras.layers.Layer) -> Callable[[], object]:
    inputs = tf.random.stateless_normal([DEFAULT.batch, FRAMES, MELS], [0, 0])
    layer.build(inputs.shape)

    def step() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = layer(inputs)
        return tape.gradient(outputs, layer.trainable_variables)

    return tf.function(step)


def main() -> None:
    (units,) = DEFAULT.units
    works = {
        f"{whose} {name}": backward(getattr(module, name)(units, return_sequences=True))
        for name in LAYERS
        for whose, module in (("our", layers), ("Keras's", keras.layers))
    }
    print(json.dumps(median_ms(works)))


if __name__ == "__main__":
    main()
