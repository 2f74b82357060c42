"""Next-frame prediction p(frame t | frames before t): hearing, a recurrent trunk, and a head."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from schemas.features import WAVEFORM_SCALE
from training.config import FrameModelConfig
from training.errors import TrainingError
from training.grid import LOWEST_DB, N_LEVELS, STEP_DB
from training.models.dropout import Dropout
from training.models.front_end import FrontEndConfig, WaveformFrontEnd
from training.models.heads import ChainedHead, IndependentHead
from training.models.hearing import Hearing, delayed, features, features_width
from training.models.layers import GRU, LSTM, SimpleRNN
from training.models.likelihood import Mixture
from training.models.noise import InputNoise
from training.models.score import ScoreHearing
from training.models.templates import NoteTemplates
from training.process import require_tensorflow_backend

_RECURRENT = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
_HEADS = {"chained": ChainedHead, "independent": IndependentHead}

SCORE_UNITS = WAVEFORM_UNITS = 64
"""The widths of what is heard of a score and of a waveform."""

STRUCK_COMPONENTS = 1
"""Of a model that hears a score: their means are relative to what the score suggests, since a note
that is struck is as loud as it is, whatever sounded before."""

HEARD_FEATURES = ("log_mel", "waveform", "notes", "onsets")

Inputs = Any

_GRID = {"lowest_db": LOWEST_DB, "step_db": STEP_DB, "n_levels": N_LEVELS}


class State(NamedTuple):
    """All that generation carries from a frame to the next one: float32 tensors [batch, ...].

    `frame` is the last frame, `before` the one before it, both normalized and as they are heard;
    `cells` are the states of the layers' cells before they are given `frame`. `noise_level` and
    `leak`, [batch, 1], are those of `start`.
    """

    frame: tf.Tensor
    before: tf.Tensor
    cells: tuple[tuple[tf.Tensor, ...], ...]
    noise_level: tf.Tensor
    leak: tf.Tensor

    def after(self, frame: tf.Tensor, cells: tuple[tuple[tf.Tensor, ...], ...]) -> State:
        """The state once `frame`, normalized, was drawn or given."""
        heard = (1 - self.leak) * frame
        return State(heard, self.frame, cells, self.noise_level, self.leak)


@keras.saving.register_keras_serializable(package="musicnet_duet")
class FrameModel(keras.Model):
    """Predicts each frame of a log-mel spectrogram from the frames before it.

    `model(log_mel)` takes dB, float32 [batch, frames, n_mels], and gives the mixtures for these
    frames as `Mixture.pack` packs them, [batch, frames, 3 * components, n_mels]: the `y_pred` of
    `NegativeLogLikelihood`, whose `y_true` is the same `log_mel`. A model that hears more is given
    a dict of the features in `config.features`, each as a reader's batch has it. All arithmetic is
    in float32 unless the config asks for mixed precision, whatever Keras's own settings are. Raises
    `TrainingError` where Keras has another backend than TensorFlow.

    Examples:
        >>> from training import open_dataset
        >>> from training.models import BitsPerDimension, FrameModel, FrameModelConfig
        >>> from training.models import NegativeLogLikelihood, density_example
        >>> reader = open_dataset("dataset", batch_size=4)
        >>> model = FrameModel(FrameModelConfig(units=(16,)))
        >>> statistics = reader.dataset.manifest.statistics
        >>> model.set_statistics(statistics.mean, statistics.std)
        >>> model.compile("adam", NegativeLogLikelihood(), weighted_metrics=[BitsPerDimension()])
        >>> history = model.fit(reader.as_tf_dataset(density_example), epochs=2, verbose=0)
        >>> history.history["bits"][1] < history.history["bits"][0]
        True
    """

    def __init__(
        self,
        config: FrameModelConfig = FrameModelConfig(),  # noqa: B008 - it is frozen
        name: str = "frame_model",
        **kwargs: Any,
    ) -> None:
        require_tensorflow_backend()
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.config = config
        seeds = (
            np.random.SeedSequence(config.seed).generate_state(2 * len(config.units) + 2) >> 1
        ).tolist()
        self.hearing = Hearing(dtype="float32", name="hearing")
        self.input_noise = InputNoise(config.noise, seeds[0], dtype="float32", name="input_noise")
        if "time" in config.hears:
            reach = config.reach
            self.front_end = WaveformFrontEnd(
                WAVEFORM_UNITS,
                hop_length=reach.hop_length,
                span=reach.span,
                offset=reach.offset,
                config=FrontEndConfig.fitting(hop_length=reach.hop_length, span=reach.span),
                sample_rate=config.sample_rate,
                seed=seeds[0] ^ 2,
                name="front_end",
            )
        if "notes" in config.hears:
            self.score_hearing = ScoreHearing(
                SCORE_UNITS, seeds[0] ^ 1, dtype="float32", name="score_hearing"
            )
            self.templates = NoteTemplates(config.n_mels, dtype="float32", name="templates")
        precision = "mixed_bfloat16" if config.mixed_precision else "float32"
        self.head = _HEADS[config.head](
            config.n_mels,
            config.components,
            seeds[1],
            precision,
            dtype="float32",
            name="head",
        )
        self.trunk = [
            _RECURRENT[config.recurrent](
                width,
                return_sequences=True,
                kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[2 * number]),
                recurrent_initializer=keras.initializers.Orthogonal(seed=seeds[2 * number + 1]),
                dtype=precision,
                name=f"recurrent_{number}",
            )
            for number, width in enumerate(config.units, start=1)
        ]
        self.dropout = [
            Dropout(config.dropout, seed ^ 1, dtype=precision, name=f"dropout_{number}")
            for number, seed in enumerate(seeds[2::2], start=1)
        ]

    def build(self, input_shape: Any) -> None:
        """Makes all weights; `input_shape` is (batch, frames, n_mels), and None where it may vary.

        Raises `TrainingError` for another number of bins than the config's.
        """
        n_mels = self.config.n_mels
        shape = input_shape["log_mel"] if isinstance(input_shape, Mapping) else input_shape
        if shape[-1] != n_mels:
            raise TrainingError(
                f"the model has n_mels={n_mels} and the data {shape[-1]}; "
                f"make it with FrameModelConfig(n_mels={shape[-1]})"
            )
        self.hearing.build((None, None, n_mels))
        self.input_noise.build((None, None, n_mels))
        width = self.score_width
        if "frequency" in self.config.hears:
            width += features_width(n_mels)
        if "time" in self.config.hears:
            self.front_end.build(None)
            width += WAVEFORM_UNITS
        if "notes" in self.config.hears:
            self.score_hearing.build(None)
            self.templates.build(None)
        for layer, dropout in zip(self.trunk, self.dropout, strict=True):
            layer.build((None, None, width))
            width = layer.units
            dropout.build((None, None, width))
        self.head.build((None, None, width + self.score_width))

    @property
    def score_width(self) -> int:
        """The last axis of what is heard of a score; 0 for a model that hears none."""
        return SCORE_UNITS + self.config.n_mels if "notes" in self.config.hears else 0

    def set_statistics(self, mean_db: ArrayLike, std_db: ArrayLike) -> None:
        """Sets the statistics of the training split, dB [n_mels]; they are saved with the model."""
        if not self.built:
            self.build((None, None, self.config.n_mels))
        self.hearing.set_statistics(mean_db, std_db)

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """The packed mixtures for all frames, with noise in the inputs of training only."""
        given = inputs if isinstance(inputs, Mapping) else {"log_mel": inputs}
        self._require(given)
        true = self.hearing(given["log_mel"])
        heard, last = [], tf.zeros_like(true)
        if "frequency" in self.config.hears:
            noisy, level = self.input_noise(true, training=training)
            last = delayed(noisy, self.config.reach.delay)
            heard.append(features(last, delayed(last), level))
        if "time" in self.config.hears:
            heard.append(self.front_end(tf.cast(given["waveform"], tf.float32) / WAVEFORM_SCALE))
        score = None
        if "notes" in self.config.hears:
            score = self.hear_score(given["notes"], given["onsets"])
            heard.append(score)
        hidden = tf.concat(heard, axis=-1)
        for layer, dropout in zip(self.trunk, self.dropout, strict=True):
            hidden = dropout(layer(hidden, training=training), training=training)
        return self._in_db(self.head(*self._for_head(hidden, last, score), true)).pack()

    def hear_score(self, notes: tf.Tensor, onsets: tf.Tensor) -> tf.Tensor:
        """What is heard of a score around each frame: float32 [batch, frames, score_width].

        `notes` and `onsets` are those of `ScoreHearing`.
        """
        return tf.concat([self.score_hearing(notes, onsets), self.suggest(notes, onsets)], axis=-1)

    def suggest(self, notes: tf.Tensor, onsets: tf.Tensor) -> tf.Tensor:
        """What a score suggests by itself: normalized levels, float32 [batch, frames, n_mels]."""
        return self.templates(notes, onsets, self.hearing.mean_db, self.hearing.std_db)

    def start(self, batch_size: int, noise_level: float = 0.0, leak: float = 0.0) -> State:
        """The state before any frame: the mean frame came before it.

        At a `noise_level` above 0, the network treats the frames that it hears as not quite true.
        It hears each bin of them by a share `leak` of its distance nearer to the bin's mean.
        """
        frame = tf.zeros([batch_size, self.config.n_mels])
        cells = tuple(tuple(layer.cell.get_initial_state(batch_size)) for layer in self.trunk)
        level, leaks = (tf.fill([batch_size, 1], float(each)) for each in (noise_level, leak))
        return State(frame, frame, cells, level, leaks)

    def hear(
        self, state: State, levels: tf.Tensor, score: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, State]:
        """The packed mixture for the frame `levels`, int32 [batch, n_mels]; and the state after it.

        `score` [batch, score_width] is what `hear_score` gives for the frame, where the model hears
        notes.
        At noise level 0 and without leak, steps give what `call` gives for the whole sequence.
        """
        for_head, cells = self._advance(state, score)
        frame = self.hearing.normalize(levels)
        return self._in_db(self.head(*for_head, frame)).pack(), state.after(frame, cells)

    def sample(
        self,
        state: State,
        uniform: tf.Tensor,
        temperature: tf.Tensor | float,
        score: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, State]:
        """Levels of the next frame, int32 [batch, n_mels], drawn from the model; the state after.

        `uniform` float32 [2, batch, n_mels] and `temperature` are those of `likelihood.draw`,
        `score` is that of `hear`.
        """
        for_head, cells = self._advance(state, score)
        levels = self.head.sample(*for_head, uniform, temperature, self.hearing)
        return levels, state.after(self.hearing.normalize(levels), cells)

    def get_config(self) -> dict[str, Any]:
        own = {"config": dataclasses.asdict(self.config), "grid": _GRID}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Raises `TrainingError` for a model that was made with another grid of levels."""
        own = dict(config)
        if (found := own.pop("grid")) != _GRID:
            raise TrainingError(
                f"the saved model's grid of levels {found} is not this version's {_GRID}; "
                "load it with the version that saved it"
            )
        return cls(**{**own, "config": FrameModelConfig(**own["config"])})

    def _require(self, given: Mapping[str, Any]) -> None:
        missing = [name for name in self.config.features if name not in given]
        if missing:
            raise TrainingError(
                f"the model hears {' and '.join(self.config.hears)}, so it needs "
                f"{', '.join(missing)} beside {', '.join(given)}; give it a dict of "
                f"{', '.join(self.config.features)}"
            )

    def _advance(
        self, state: State, score: tf.Tensor | None
    ) -> tuple[tuple[tf.Tensor, list[tf.Tensor]], tuple[tuple[tf.Tensor, ...], ...]]:
        """What the head is given for the next frame, and the states of the cells after it."""
        heard = [] if score is None else [score]
        last = tf.zeros_like(state.frame)
        if "frequency" in self.config.hears:
            heard.insert(0, features(state.frame, state.before, state.noise_level))
            last = state.frame
        hidden = tf.concat(heard, axis=-1)
        cells = []
        for layer, cell_state in zip(self.trunk, state.cells, strict=True):
            hidden, after = layer.cell(hidden, list(cell_state))
            cells.append(tuple(after))
        return self._for_head(hidden, last, score), tuple(cells)

    def _for_head(
        self, hidden: tf.Tensor, last: tf.Tensor, score: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """What the head sees of a frame, and what the means of its components are relative to.

        `last` is the frame before, which is zeros where that is not heard.
        """
        hidden = tf.cast(hidden, tf.float32)
        bases = [last] * self.config.components
        if score is not None and self.score_width:
            hidden = tf.concat([hidden, score], axis=-1)
            suggested = score[..., SCORE_UNITS:]
            struck = STRUCK_COMPONENTS if "frequency" in self.config.hears else len(bases)
            bases[:struck] = [suggested] * len(bases[:struck])
        return hidden, bases

    def _in_db(self, mixture: Mixture) -> Mixture:
        means = tuple(self.hearing.to_db(mean) for mean in mixture.means)
        return Mixture(mixture.logits, means, mixture.log_scales)


def density_example(batch: Mapping[str, tf.Tensor]) -> tuple[Inputs, tf.Tensor, tf.Tensor]:
    """Inputs, targets and weights for `fit`, from a batch of a reader; for `as_tf_dataset`."""
    return model_inputs(batch), batch["log_mel"], batch["weights"]


def model_inputs(batch: Mapping[str, Any]) -> Any:
    """What a model is given of a batch: its features in a dict, or `log_mel` where it has no other.

    Of tensors or arrays.
    """
    given = {name: batch[name] for name in HEARD_FEATURES if name in batch}
    return given if len(given) > 1 else given["log_mel"]
