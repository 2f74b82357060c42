"""Datasets become batches, batches become models, models become music."""

import training.own_schemas  # noqa: F401 - before anything imports schemas
from training.errors import TrainingError
from training.reader import Reader, open_dataset

__all__ = ["Reader", "TrainingError", "open_dataset"]
