"""Composed notes: a recurrent model of piano rolls, trained on labels alone.

Importing this package is all that `keras.models.load_model` needs to know the model.
"""

from training.composing.config import ComposerConfig
from training.composing.model import (
    BitsPerFrame,
    Composer,
    RollLikelihood,
    composing_example,
)
from training.composing.sampling import compose

__all__ = [
    "BitsPerFrame",
    "Composer",
    "ComposerConfig",
    "RollLikelihood",
    "compose",
    "composing_example",
]
