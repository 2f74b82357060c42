"""Models of spectrograms: what they hear, a recurrent trunk, and a head.

Importing this package is all that `keras.models.load_model` needs to know the models.
"""

from training.models.config import FrameModelConfig
from training.models.frame_model import FrameModel, density_example
from training.models.losses import BitsPerDimension, NegativeLogLikelihood
from training.models.sampling import sample_levels

__all__ = [
    "BitsPerDimension",
    "FrameModel",
    "FrameModelConfig",
    "NegativeLogLikelihood",
    "density_example",
    "sample_levels",
]
