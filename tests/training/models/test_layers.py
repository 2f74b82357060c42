"""Our recurrent layers next to Keras's own."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.config import RECURRENT as KINDS
from training.config import FrameModelConfig
from training.models.frame_model import FrameModel
from training.models.layers import GRU, LSTM, SimpleRNN
from training.models.losses import frame_nats

OURS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
KERAS = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
FEATURES = 3

Arrays = list[NDArray[Any]]


def pair(kind: str, units: int = 4, **options: Any) -> tuple[Any, Any]:
    """Keras's layer and ours, with the same weights, all of which matter."""
    theirs, ours = KERAS[kind](units, **options), OURS[kind](units, **options)
    for layer in (theirs, ours):
        layer.build((None, None, FEATURES))
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.7, each.shape) for each in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


def random_frames(batch: int = 2, frames: int = 6, dtype: str = "float32") -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).normal(size=(batch, frames, FEATURES)), dtype)


def random_states(layer: Any, batch: int) -> list[tf.Tensor]:
    rng = np.random.default_rng(2)
    return [
        tf.constant(rng.normal(size=(batch, width)), layer.compute_dtype)
        for width in layer.state_size
    ]


def results(layer: Any, frames: tf.Tensor, states: Any = None, **arguments: Any) -> Arrays:
    """Every output, and the gradients to the inputs, the initial states and the weights."""
    sources = [frames, *(states or [])]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs = tf.nest.flatten(layer(frames, initial_state=states, **arguments))
        loss = weighted_sum(outputs)
    gradients = tape.gradient(loss, [*sources, *layer.trainable_variables])
    return [value.numpy() for value in [*outputs, *gradients]]


def weighted_sum(outputs: Sequence[tf.Tensor]) -> tf.Tensor:
    """A number that every value has another influence on."""
    rng = np.random.default_rng(3)
    return tf.add_n(
        [
            tf.reduce_sum(each * rng.normal(size=each.shape).astype(each.dtype.name))
            for each in outputs
        ]
    )


def assert_equal_but_for_rounding(ours: Arrays, theirs: Arrays, tolerance: float = 1e-5) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance * np.abs(other).max())


@pytest.fixture
def keras_loops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by the name of a layer whenever its loop over the frames is Keras's."""
    names: list[str] = []
    for parent in KERAS.values():

        @functools.wraps(parent.call)  # Keras looks at the names of the arguments.
        def call(self: Any, *args: Any, _original: Any = parent.call, **kwargs: Any) -> Any:
            names.append(self.name)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(parent, "call", call)
    return names


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    units=st.integers(1, 5),
    batch=st.integers(1, 3),
    frames=st.integers(1, 6),
    given_states=st.booleans(),
    options=st.fixed_dictionaries(
        {"return_sequences": st.booleans(), "return_state": st.booleans()}
    ),
)
def test_outputs_states_and_gradients_are_those_of_keras(
    kind: str, units: int, batch: int, frames: int, given_states: bool, options: dict[str, bool]
) -> None:
    """In float64: a sum that happens to be near zero has few right digits in float32."""
    theirs, ours = pair(kind, units, dtype="float64", **options)
    states = random_states(theirs, batch) if given_states else None
    values = random_frames(batch, frames, "float64")
    expected = results(theirs, values, states)
    assert_equal_but_for_rounding(results(ours, values, states), expected, tolerance=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_long_sequences_of_wide_layers_are_those_of_keras(
    kind: str, keras_loops: list[str]
) -> None:
    theirs, ours = pair(kind, 64, return_sequences=True, return_state=True)
    values, states = random_frames(8, 100), random_states(theirs, 8)
    for layer in (theirs, ours):  # At full size, the weights of a pair make chaos of 100 frames.
        layer.set_weights([each * 0.2 for each in layer.get_weights()])
    expected = results(theirs, values, states)
    keras_loops.clear()
    assert_equal_but_for_rounding(results(ours, values, states), expected)
    assert not keras_loops


@pytest.mark.parametrize("kind", KINDS)
def test_graphs_of_unknown_shapes_give_the_same(kind: str, keras_loops: list[str]) -> None:
    theirs, ours = pair(kind, return_sequences=True, return_state=True)

    def step(frames: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(frames)
            outputs = ours(frames)
            loss = tf.add_n([tf.reduce_sum(each * each) for each in outputs])
        return outputs, tape.gradient(loss, [frames, *ours.trainable_variables])

    compiled = tf.function(step, input_signature=[tf.TensorSpec([None, None, FEATURES])])
    for batch, frames in ((2, 6), (1, 1), (3, 9)):
        values = random_frames(batch, frames)
        outputs, gradients = compiled(values)
        with tf.GradientTape() as tape:
            tape.watch(values)
            expected = theirs(values)
            loss = tf.add_n([tf.reduce_sum(each * each) for each in expected])
        expected_gradients = tape.gradient(loss, [values, *theirs.trainable_variables])
        assert_equal_but_for_rounding(
            [each.numpy() for each in [*outputs, *gradients]],
            [each.numpy() for each in [*expected, *expected_gradients]],
        )
    assert set(keras_loops) == {theirs.name}


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_by_xla_they_give_the_same(kind: str, keras_loops: list[str]) -> None:
    """That is how Keras trains a model unless it is asked not to."""
    theirs, ours = pair(kind, return_sequences=True, return_state=True)
    values, states = random_frames(), random_states(theirs, 2)
    expected = results(theirs, values, states)

    def step(frames: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([frames, *states])
            outputs = ours(frames, initial_state=states)
            loss = weighted_sum(outputs)
        return [*outputs, *tape.gradient(loss, [frames, *states, *ours.trainable_variables])]

    keras_loops.clear()
    compiled = tf.function(step, jit_compile=True)
    assert_equal_but_for_rounding([each.numpy() for each in compiled(values)], expected)
    assert not keras_loops


@pytest.mark.parametrize("shape", [(2, 6), (None, 6), (2, None)])
@pytest.mark.parametrize("kind", KINDS)
def test_as_much_of_the_shapes_is_known_as_with_keras(
    kind: str, shape: tuple[int | None, int | None]
) -> None:
    theirs, ours = (
        tf.function(layer, input_signature=[tf.TensorSpec([*shape, FEATURES])])
        .get_concrete_function()
        .structured_outputs
        for layer in pair(kind, return_sequences=True, return_state=True)
    )
    assert [each.shape.as_list() for each in ours] == [each.shape.as_list() for each in theirs]


@pytest.mark.parametrize("kind", KINDS)
def test_float64_is_exact_to_float64(kind: str, keras_loops: list[str]) -> None:
    theirs, ours = pair(kind, return_sequences=True, return_state=True, dtype="float64")
    values, states = random_frames(dtype="float64"), random_states(theirs, 2)
    expected = results(theirs, values, states)
    keras_loops.clear()
    assert_equal_but_for_rounding(results(ours, values, states), expected, tolerance=1e-13)
    assert not keras_loops


@pytest.mark.parametrize("kind", KINDS)
def test_carried_state_continues_a_sequence(kind: str) -> None:
    _, ours = pair(kind, return_sequences=True, return_state=True)
    values = random_frames(frames=7)
    whole, *final = ours(values)
    first, *states = ours(values[:, :3])
    second, *after = ours(values[:, 3:], initial_state=states)
    np.testing.assert_allclose(tf.concat([first, second], axis=1), whole, atol=1e-6)
    for mine, other in zip(after, final, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_stateful_layers_remember_like_those_of_keras(kind: str) -> None:
    layers = [each(4, stateful=True, return_sequences=True) for each in (KERAS[kind], OURS[kind])]
    values = random_frames()
    for layer in layers:
        layer.build(values.shape)
    layers[1].set_weights(layers[0].get_weights())
    theirs, ours = ([layer(values).numpy() for _ in range(2)] for layer in layers)
    assert_equal_but_for_rounding(ours, theirs)
    assert np.any(ours[0] != ours[1])


MASK = np.array([[1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 1, 1]], bool)

OTHER_LOOPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a mask": ({}, {"mask": MASK}),
    "dropout": ({"dropout": 0.5, "seed": 4}, {"training": True}),
    "recurrent dropout": ({"recurrent_dropout": 0.5, "seed": 4}, {"training": True}),
    "dropout that is off": ({"dropout": 0.5}, {"training": False}),
    "reversed frames": ({"go_backwards": True}, {}),
    "unrolled frames": ({"unroll": True}, {}),
    "another activation": ({"activation": "softsign"}, {}),
    "no activation": ({"activation": None}, {}),
    "no bias": ({"use_bias": False}, {}),
    "mixed precision": ({"dtype": "mixed_bfloat16"}, {}),
    "low precision": ({"dtype": "float16"}, {}),
}

OTHER_GATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another gate": ({"recurrent_activation": "hard_sigmoid"}, {}),
}

CASES = [
    *((kind, name, *case) for kind in KINDS for name, case in OTHER_LOOPS.items()),
    *((kind, name, *case) for kind in ("gru", "lstm") for name, case in OTHER_GATES.items()),
    ("gru", "reset before the product", {"reset_after": False}, {}),
]


@pytest.mark.parametrize(
    ("kind", "options", "arguments"),
    [(kind, *rest) for kind, _, *rest in CASES],
    ids=[f"{kind}: {name}" for kind, name, *_ in CASES],
)
def test_what_the_fast_loop_lacks_is_left_to_keras(
    kind: str, options: dict[str, Any], arguments: dict[str, Any], keras_loops: list[str]
) -> None:
    theirs, ours = pair(kind, return_sequences=True, return_state=True, **options)
    values = random_frames()
    expected = results(theirs, values, **arguments)
    assert_equal_but_for_rounding(results(ours, values, **arguments), expected)
    assert keras_loops == [theirs.name, ours.name]


def test_a_layer_that_must_have_cudnn_says_that_there_is_none() -> None:
    _, ours = pair("gru", use_cudnn=True)
    with pytest.raises(ValueError, match="use_cudnn=True was specified"):
        ours(random_frames())


def recurrent_layers(kind: str) -> list[Any]:
    model = FrameModel(FrameModelConfig(recurrent=kind, units=(4, 5), n_mels=6, components=2))
    model(np.zeros((1, 3, 6), np.float32))
    return list(model.trunk)


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_gpu_the_loop_is_that_of_keras(
    kind: str, keras_loops: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = recurrent_layers(kind)
    assert len(layers) == 2
    assert not keras_loops
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: [kind])
    recurrent_layers(kind)
    assert set(keras_loops) == {layer.name for layer in layers}


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_the_layers_of_the_model_qualify_for_cudnn(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras marks a layer that its cuDNN kernel can do as one that XLA cannot compile."""
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: [kind])
    assert OURS[kind](4, activation="relu").supports_jit
    assert [layer.supports_jit for layer in recurrent_layers(kind)] == [False, False]


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_training_does_one_product_per_frame_and_direction(kind: str) -> None:
    model = FrameModel(FrameModelConfig(recurrent=kind, units=(4, 5), n_mels=6, components=2))
    model(np.zeros((1, 3, 6), np.float32))

    def gradients(log_mel: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(frame_nats(log_mel, model(log_mel, training=True)))
        return tape.gradient(loss, model.trainable_variables)

    assert products_in_loops(tf.function(gradients), tf.zeros([2, 9, 6])) == 4


def products_in_loops(function: Any, *arguments: tf.Tensor) -> int:
    graph = function.get_concrete_function(*arguments).graph.as_graph_def()
    functions = {each.signature.name: each.node_def for each in graph.library.function}
    every = [*graph.node, *(node for nodes in functions.values() for node in nodes)]
    bodies = {
        node.attr["body"].func.name for node in every if node.op in ("While", "StatelessWhile")
    }
    return sum(node.op == "MatMul" for body in bodies for node in functions[body])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_are_those_of_keras(kind: str, compiled: bool) -> None:
    def penalty(layer: Any, values: tf.Tensor) -> Any:
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(values)
                loss = tf.reduce_sum(layer(values) ** 2)
            slopes = inner.gradient(loss, values)
            size = tf.reduce_sum(slopes**2)
        return outer.gradient(size, layer.trainable_variables)

    function = tf.function(penalty) if compiled else penalty
    theirs, ours = (
        [value.numpy() for value in function(layer, random_frames())]
        for layer in pair(kind, return_sequences=True)
    )
    assert_equal_but_for_rounding(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_each_time(kind: str) -> None:
    _, layer = pair(kind, 64, return_sequences=True)
    first, second = (results(layer, random_frames(8, 40)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_is_the_same_bit_for_bit(kind: str, tmp_path: Path) -> None:
    _, layer = pair(kind, return_sequences=True)
    model = keras.Sequential([keras.Input((None, FEATURES)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[0]) is OURS[kind]
    np.testing.assert_array_equal(loaded(random_frames()), model(random_frames()))


def test_a_process_that_imports_the_layers_loads_a_saved_model(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((None, FEATURES)), *(each(4, return_sequences=True) for each in OURS.values())]
    )
    model.save(tmp_path / "model.keras")
    code = "import sys, keras, training.models; keras.models.load_model(sys.argv[1]).summary()"
    subprocess.run([sys.executable, "-c", code, tmp_path / "model.keras"], check=True)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_weights_fit_models_with_layers_of_keras(
    kind: str, bidirectional: bool, tmp_path: Path
) -> None:
    theirs, ours = (
        keras.Sequential(
            [
                keras.Input((None, FEATURES)),
                keras.layers.Bidirectional(layer) if bidirectional else layer,
                keras.layers.Dense(2),
            ]
        )
        for layer in (KERAS[kind](4), OURS[kind](4))
    )
    for source, target in ((theirs, ours), (ours, theirs)):
        source.set_weights([each + 0.1 for each in source.get_weights()])
        source.save_weights(tmp_path / "model.weights.h5")
        target.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_allclose(ours(random_frames()), theirs(random_frames()), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_model_gives_the_same(kind: str, tmp_path: Path) -> None:
    _, layer = pair(kind, return_sequences=True)
    model = keras.Sequential([keras.Input((None, FEATURES)), layer])
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(loaded.serve(random_frames()), model(random_frames()), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_made_again_from_its_config(kind: str) -> None:
    layer = OURS[kind](4, return_sequences=True, kernel_regularizer="l2", name="one")
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is OURS[kind]
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_keras_fit(kind: str, tmp_path: Path) -> None:
    """The names, shapes and order of the weights are Keras's."""
    theirs, ours = pair(kind)
    assert [each.name for each in ours.weights] == [each.name for each in theirs.weights]
    config = {**theirs.get_config(), "name": "ours"}
    again = OURS[kind].from_config(config)
    again.build((None, None, FEATURES))
    again.set_weights(theirs.get_weights())
    np.testing.assert_allclose(again(random_frames()), theirs(random_frames()), atol=1e-6)
