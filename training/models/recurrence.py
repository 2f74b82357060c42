"""The loops over frames of a SimpleRNN, a GRU and an LSTM, and their gradients written by hand.

Each function takes the inputs of all frames, multiplied by the kernel and with their bias, as `x`
[frames, batch, gates * units], the initial states [batch, units], and the recurrent kernel U
[units, gates * units], the gates in Keras's order. It returns the outputs [frames, batch, units]
and the final states; each of them may have a gradient. All values are float32 or all float64.

TensorFlow differentiates Keras's loop operation by operation. The backward loops here do one
product per frame, and the gradient of the recurrent kernel is one product after the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

Tensors = tuple[tf.Tensor, ...]
_Step = Callable[[Tensors, Tensors], tuple[Tensors, Tensors]]
_Gradient = Callable[..., Tensors]


@tf.custom_gradient  # type: ignore[untyped-decorator]
def simple_rnn(x: tf.Tensor, h0: tf.Tensor, kernel: tf.Tensor) -> tuple[Tensors, _Gradient]:
    """h' = tanh(x + h U): the states h' of all frames, and the last."""

    def step(states: Tensors, frame: Tensors) -> tuple[Tensors, Tensors]:
        after = tf.tanh(frame[0] + states[0] @ kernel)
        return (after,), (after,)

    (last,), (h,) = _loop(step, (h0,), (x,), widths=(1,))

    def gradient(dh: tf.Tensor, d_last: tf.Tensor) -> Tensors:
        def step_back(carried: Tensors, frame: Tensors) -> tuple[Tensors, Tensors]:
            dh, slope = frame
            dx = (carried[0] + dh) * slope
            return (tf.matmul(dx, kernel, transpose_b=True),), (dx,)

        slopes = 1 - h * h
        (dh0,), (dx,) = _loop(step_back, (d_last,), (dh, slopes), widths=(1,), backward=True)
        return dx, dh0, _product(_previous(h0, h), dx)

    return (h, last), gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def gru(
    x: tf.Tensor, h0: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor
) -> tuple[Tensors, _Gradient]:
    """With m = h U + bias, z and r = sigmoid(x + m), and g = tanh(x + r m): h' = z h + (1 - z) g.

    Returns the states h' of all frames, and the last. `bias` [3 * units] is the recurrent one.
    """
    units = kernel.shape[0]
    x_zr, x_g = tf.split(x, [2 * units, units], axis=-1)

    def step(states: Tensors, frame: Tensors) -> tuple[Tensors, Tensors]:
        (h,) = states
        x_zr, x_g = frame
        m = tf.nn.bias_add(h @ kernel, bias)
        m_zr, m_g = tf.split(m, [2 * units, units], axis=-1)
        z, r = tf.split(tf.sigmoid(x_zr + m_zr), 2, axis=-1)
        g = tf.tanh(x_g + r * m_g)
        after = g + z * (h - g)
        return (after,), (after, m)

    (last,), (h, m) = _loop(step, (h0,), (x_zr, x_g), widths=(1, 3))

    def gradient(dh: tf.Tensor, d_last: tf.Tensor) -> Tensors:
        before = _previous(h0, h)
        m_zr, m_g = tf.split(m, [2 * units, units], axis=-1)
        z, r = tf.split(tf.sigmoid(x_zr + m_zr), 2, axis=-1)
        g = tf.tanh(x_g + r * m_g)
        slope_g = (1 - z) * (1 - g * g)
        slopes_m = tf.concat(
            [(before - g) * z * (1 - z), slope_g * m_g * r * (1 - r), slope_g * r], axis=-1
        )

        def step_back(carried: Tensors, frame: Tensors) -> tuple[Tensors, Tensors]:
            dh, z, slopes_m = frame
            dh += carried[0]
            dm = tf.concat([dh, dh, dh], axis=-1) * slopes_m
            return (dh * z + tf.matmul(dm, kernel, transpose_b=True),), (dh,)

        (dh0,), (dh,) = _loop(step_back, (d_last,), (dh, z, slopes_m), widths=(1,), backward=True)
        dm = tf.concat([dh, dh, dh], axis=-1) * slopes_m
        dx = tf.concat([dm[..., : 2 * units], dh * slope_g], axis=-1)
        return dx, dh0, _product(before, dm), tf.reduce_sum(dm, axis=[0, 1])

    return (h, last), gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def lstm(
    x: tf.Tensor, h0: tf.Tensor, c0: tf.Tensor, kernel: tf.Tensor
) -> tuple[Tensors, _Gradient]:
    """With a = x + h U, i, f and o = sigmoid(a) and g = tanh(a): c' = f c + i g, h' = o tanh(c').

    Returns the states h' of all frames, and the last h' and c'.
    """
    units = kernel.shape[0]

    def step(states: Tensors, frame: Tensors) -> tuple[Tensors, Tensors]:
        h, c = states
        a = frame[0] + h @ kernel
        i, f, _, o = tf.split(tf.sigmoid(a), 4, axis=-1)
        g = tf.tanh(a[:, 2 * units : 3 * units])
        c = f * c + i * g
        h = o * tf.tanh(c)
        return (h, c), (h, c, a)

    (last_h, last_c), (h, c, a) = _loop(step, (h0, c0), (x,), widths=(1, 1, 4))

    def gradient(dh: tf.Tensor, d_last_h: tf.Tensor, d_last_c: tf.Tensor) -> Tensors:
        a_i, a_f, a_g, a_o = tf.split(a, 4, axis=-1)
        i, f, g, o = tf.sigmoid(a_i), tf.sigmoid(a_f), tf.tanh(a_g), tf.sigmoid(a_o)
        tanh_c = tf.tanh(c)
        slopes_a = tf.concat(
            [
                g * i * (1 - i),
                _previous(c0, c) * f * (1 - f),
                i * (1 - g * g),
                tanh_c * o * (1 - o),
            ],
            axis=-1,
        )

        def step_back(carried: Tensors, frame: Tensors) -> tuple[Tensors, Tensors]:
            dh, slope_c, f, slopes_a = frame
            dh += carried[0]
            dc = carried[1] + dh * slope_c
            da = tf.concat([dc, dc, dc, dh], axis=-1) * slopes_a
            return (tf.matmul(da, kernel, transpose_b=True), dc * f), (da,)

        frames = (dh, o * (1 - tanh_c * tanh_c), f, slopes_a)
        (dh0, dc0), (da,) = _loop(
            step_back, (d_last_h, d_last_c), frames, widths=(4,), backward=True
        )
        return da, dh0, dc0, _product(_previous(h0, h), da)

    return (h, last_h, last_c), gradient


def _loop(
    step: _Step,
    states: Tensors,
    sequences: Tensors,
    *,
    widths: Sequence[int],
    backward: bool = False,
) -> tuple[Tensors, Tensors]:
    """The final states, and what `step` returned beside them, stacked in the order of the frames.

    `step` maps states and one frame of each sequence to new states and one output for each of
    `widths`, how many times as wide as a state it is. `backward` begins with the last frame.
    """
    first = states[0]
    count = tf.shape(sequences[0])[0]
    inputs = [
        tf.TensorArray(each.dtype, count, element_shape=each.shape[1:]).unstack(each)
        for each in sequences
    ]
    outputs = [
        tf.TensorArray(first.dtype, count, element_shape=[first.shape[0], width * first.shape[1]])
        for width in widths
    ]

    def body(done: tf.Tensor, states: Tensors, outputs: list[tf.TensorArray]) -> tuple[object, ...]:
        index = count - 1 - done if backward else done
        states, values = step(states, tuple(each.read(index) for each in inputs))
        written = [each.write(index, value) for each, value in zip(outputs, values, strict=True)]
        return done + 1, states, written

    _, states, outputs = tf.while_loop(
        lambda done, *_: done < count,
        body,
        (0, states, outputs),
        maximum_iterations=count,
    )
    return states, tuple(each.stack() for each in outputs)


def _previous(initial: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
    """The state before each frame, [frames, batch, units]."""
    return tf.concat([initial[tf.newaxis], states[:-1]], axis=0)


def _product(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """The sum over frames and batch of the outer products of the last axes."""
    return tf.matmul(_rows(left), _rows(right), transpose_a=True)


def _rows(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [-1, values.shape[-1]])
