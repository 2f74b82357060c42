"""Models of spectrograms: what they hear, a recurrent trunk, and a head.

Importing this package is all that `keras.models.load_model` needs to know the models.
"""

from training.config import FrameModelConfig
from training.models.frame_model import FrameModel, density_example
from training.models.losses import BitsPerDimension, FrameCount, NegativeLogLikelihood
from training.models.sampling import SamplingConfig, sample_levels
from training.models.schedules import WarmUpCosine

__all__ = [
    "BitsPerDimension",
    "FrameCount",
    "FrameModel",
    "FrameModelConfig",
    "NegativeLogLikelihood",
    "SamplingConfig",
    "WarmUpCosine",
    "density_example",
    "sample_levels",
]
