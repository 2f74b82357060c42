"""Keras's SimpleRNN, GRU and LSTM with a faster loop over the frames where there is no GPU."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from training.recurrence import Tensors, gru, lstm, simple_rnn


class _FastLoop(keras.layers.RNN):
    """The loop over frames that the layers below have instead of Keras's, where it applies.

    Weights, configuration, saving, and what a GPU does are Keras's. So is the loop if there is a
    mask, dropout, no bias, another activation than Keras's default, mixed precision, or if the
    frames are reversed or unrolled, or if a GRU resets before its product.
    """

    def inner_loop(
        self, sequences: tf.Tensor, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """The last output [batch, units], all outputs [batch, frames, units], the final states."""
        if not self._applies(mask):
            result: tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]] = super().inner_loop(
                sequences, initial_state, mask, training=training
            )
            return result
        frames = tf.transpose(sequences, [1, 0, 2])
        outputs, *states = self._recur(frames, tuple(keras.tree.flatten(initial_state)))
        return states[0], tf.transpose(outputs, [1, 0, 2]), states

    def _applies(self, mask: Any) -> bool:
        cell = self.cell
        return (
            all(each is None for each in keras.tree.flatten(mask))
            and not self.go_backwards
            and not self.unroll
            and not cell.dropout
            and not cell.recurrent_dropout
            and cell.use_bias
            and cell.activation is keras.activations.tanh
            and getattr(cell, "recurrent_activation", keras.activations.sigmoid)
            is keras.activations.sigmoid
            and getattr(cell, "reset_after", True)
            and getattr(self, "use_cudnn", "auto") is not True
            and cell.compute_dtype == cell.variable_dtype
            and cell.compute_dtype in ("float32", "float64")
            and not tf.config.list_logical_devices("GPU")
        )

    def _recur(self, frames: tf.Tensor, states: Tensors) -> Tensors:
        """The outputs for `frames` [frames, batch, features], time-major, and the final states."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="musicnet_duet")
class FastSimpleRNN(_FastLoop, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, equal to it but for rounding."""

    def _recur(self, frames: tf.Tensor, states: Tensors) -> Tensors:
        kernel, recurrent_kernel, bias = _weights(self.cell)
        return simple_rnn(_project(frames, kernel, bias), *states, recurrent_kernel)


@keras.saving.register_keras_serializable(package="musicnet_duet")
class FastGRU(_FastLoop, keras.layers.GRU):
    """`keras.layers.GRU`, equal to it but for rounding."""

    def _recur(self, frames: tf.Tensor, states: Tensors) -> Tensors:
        kernel, recurrent_kernel, bias = _weights(self.cell)
        x = _project(frames, kernel, bias[0])
        return gru(x, *states, recurrent_kernel, bias[1])


@keras.saving.register_keras_serializable(package="musicnet_duet")
class FastLSTM(_FastLoop, keras.layers.LSTM):
    """`keras.layers.LSTM`, equal to it but for rounding."""

    def _recur(self, frames: tf.Tensor, states: Tensors) -> Tensors:
        kernel, recurrent_kernel, bias = _weights(self.cell)
        return lstm(_project(frames, kernel, bias), *states, recurrent_kernel)


def _weights(cell: Any) -> Tensors:
    return tuple(
        tf.convert_to_tensor(each) for each in (cell.kernel, cell.recurrent_kernel, cell.bias)
    )


def _project(frames: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """The inputs of the gates at all frames, [frames, batch, gates * units], in one product."""
    return tf.nn.bias_add(tf.tensordot(frames, kernel, axes=1), bias)
