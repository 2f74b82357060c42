"""Datasets become batches, batches become models, models become music."""

from training.errors import TrainingError
from training.reader import Reader, open_dataset

__all__ = ["Reader", "TrainingError", "open_dataset"]
