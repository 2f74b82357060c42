"""A step of a model's matrix products alone, as if no frame had to wait for the one before it.

python -m benchmarks.steps.products RECURRENT BATCH UNITS...
"""

from __future__ import annotations

import json
import sys

import tensorflow as tf

from benchmarks.steps.sizes import Size
from benchmarks.steps.stopwatch import timed
from training.config import FrameModelConfig
from training.models import FrameModel


def kernels_of(recurrent: str, size: Size) -> list[tf.Tensor]:
    """The matrices of the model, the one that multiplies its inputs first."""
    model = FrameModel(FrameModelConfig(recurrent=recurrent, units=size.units))
    model.build((None, None, model.config.n_mels))
    cells = [layer.cell for layer in model.trunk]
    of_trunk = [each for cell in cells for each in (cell.kernel, cell.recurrent_kernel)]
    of_head = [each for each in model.head.trainable_variables if len(each.shape) > 1]
    return [tf.reshape(each, [-1, each.shape[-1]]) for each in (*of_trunk, *of_head)]


def time_steps(recurrent: str, size: Size) -> dict[str, float]:
    """The figures of `Stopwatch` for all products forward and backward, of all frames at once.

    Backward are two of them, but for the first matrix: nothing learns from its inputs' gradient.
    """
    kernels = kernels_of(recurrent, size)
    inputs = [
        tf.random.stateless_normal([size.frames, kernel.shape[0]], [0, 0]) for kernel in kernels
    ]

    def step() -> list[tf.Tensor]:
        made = []
        for number, (values, kernel) in enumerate(zip(inputs, kernels, strict=True)):
            forward = values @ kernel
            made.append(tf.matmul(values, forward, transpose_a=True))
            if number:
                made.append(tf.matmul(forward, kernel, transpose_b=True))
        return made

    return timed(tf.function(step))


def main(recurrent: str, *size: str) -> None:
    print(json.dumps(time_steps(recurrent, Size.of(size))))


if __name__ == "__main__":
    main(*sys.argv[1:])
