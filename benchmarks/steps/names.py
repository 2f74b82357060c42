"""The names of what is measured: those that measure import TensorFlow, those that print do not."""

LAYERS = ("SimpleRNN", "GRU", "LSTM")

READING = "reading"
"""The first stage of a step."""

ALL = "all"
VALIDATING = "validation, pictures and checkpoints"
"""Of the seconds of a run."""

SAMPLING = "sampling"
"""Its speed: seconds of music in a second."""
