"""Keras's SimpleRNN, GRU and LSTM with a faster loop over the frames where there is no GPU.

The names of the classes are Keras's, too: Keras finds weights in a file by the class of their
layer, so that a file of weights fits a model with Keras's layers and the same model with these.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from training.models.recurrence import Tensors, gru, lstm, simple_rnn

_registered = keras.saving.register_keras_serializable(package="musicnet_duet")


class _FastLoop(keras.layers.RNN):
    """The loop over frames that the layers below have instead of Keras's, where it applies.

    Weights, configuration, saving, and what a GPU does are Keras's. So is the loop if there is a
    mask, dropout, no bias, another activation than Keras's default, or mixed precision, if the
    layer is stateful, if the frames are reversed or unrolled, or if a GRU resets before its
    product.
    """

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        """What Keras's layer returns for `sequences` [batch, frames, features].

        That is the outputs [batch, frames, units] or the last one [batch, units], then, if the
        layer is to return them, the final states [batch, units].
        """
        if mask is not None or not self._applies():
            return super().call(sequences, initial_state, mask=mask, training=training)
        if initial_state is None:
            initial_state = self.cell.get_initial_state(tf.shape(sequences)[0])
        states = tuple(
            tf.convert_to_tensor(each, self.compute_dtype)
            for each in keras.tree.flatten(initial_state)
        )
        outputs, *final = self._recur(tf.transpose(sequences, [1, 0, 2]), states)
        output = final[0]
        if self.return_sequences:
            shape = [*sequences.shape[:2], self.units]
            output = tf.ensure_shape(tf.transpose(outputs, [1, 0, 2]), shape)
        return (output, *final) if self.return_state else output

    def _applies(self) -> bool:
        cell = self.cell
        return (
            not self.stateful
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
            and cell.compute_dtype == cell.variable_dtype == self.compute_dtype
            and cell.compute_dtype in ("float32", "float64")
            and not tf.config.list_logical_devices("GPU")
        )

    def _recur(self, frames: tf.Tensor, states: Tensors) -> Tensors:
        """The outputs for `frames` [frames, batch, features], time-major, and the final states."""
        raise NotImplementedError


@_registered
class SimpleRNN(_FastLoop, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, equal to it but for rounding."""

    def _recur(self, frames: tf.Tensor, states: Tensors) -> Tensors:
        kernel, recurrent_kernel, bias = _weights(self.cell)
        return simple_rnn(_project(frames, kernel, bias), *states, recurrent_kernel)


@_registered
class GRU(_FastLoop, keras.layers.GRU):
    """`keras.layers.GRU`, equal to it but for rounding."""

    def _recur(self, frames: tf.Tensor, states: Tensors) -> Tensors:
        kernel, recurrent_kernel, bias = _weights(self.cell)
        x = _project(frames, kernel, bias[0])
        return gru(x, *states, recurrent_kernel, bias[1])


@_registered
class LSTM(_FastLoop, keras.layers.LSTM):
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
