"""The contract between the halves of musicnet-duet: what a dataset is, on disk and in memory.

`docs/format.md` specifies the files.
"""

from schemas.dataset import Dataset
from schemas.errors import DamagedDataError, DatasetError, DuetError, StoreError
from schemas.features import PRESETS, FeatureConfig, FeatureSpec
from schemas.manifest import Manifest
from schemas.permutation import invert, permutation_key, permute
from schemas.storage import Storage
from schemas.windows import Window, read_at

__all__ = [
    "PRESETS",
    "DamagedDataError",
    "Dataset",
    "DatasetError",
    "DuetError",
    "FeatureConfig",
    "FeatureSpec",
    "Manifest",
    "Storage",
    "StoreError",
    "Window",
    "invert",
    "permutation_key",
    "permute",
    "read_at",
]
