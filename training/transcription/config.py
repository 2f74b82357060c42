"""The settings of a transcriber: what it hears, its layers, and how it is trained."""

from __future__ import annotations

import dataclasses

from training.validation import MAX_SEED, MAX_STEPS, one_of, whole_number

MODELS = ("linear", "gru")
HEARING = ("frequency", "time", "both")

_MAX_WIDTH = 2**16
_MAX_BATCH_SIZE = 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranscriberConfig:
    """A transcriber and its training: with the dataset, all that its weights depend on.

    `model` is "linear", a linear function of a few frames around each frame, or "gru", recurrent
    layers of `units` each that read the frames forward and backward. It hears (`hear`) "frequency",
    the log-mel spectrogram; "time", the waveform through learned filters; or "both". It is trained
    for `steps` of `batch_size` windows. Raises `TrainingError` when a value is impossible.
    """

    model: str = "gru"
    hear: str = "frequency"
    units: int = 128
    steps: int = 400
    batch_size: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        checked = {
            "model": one_of("model", self.model, MODELS),
            "hear": one_of("hear", self.hear, HEARING),
            "units": whole_number("units", self.units, 1, _MAX_WIDTH),
            "steps": whole_number("steps", self.steps, 1, MAX_STEPS),
            "batch_size": whole_number("batch_size", self.batch_size, 1, _MAX_BATCH_SIZE),
            "seed": whole_number("seed", self.seed, 0, MAX_SEED),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that the model takes."""
        heard = {"frequency": ("log_mel",), "time": ("waveform",), "both": ("log_mel", "waveform")}
        return heard[self.hear]
