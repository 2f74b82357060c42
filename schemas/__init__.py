"""The contract between the halves of musicnet-duet: what a dataset is, on disk and in memory.

`docs/format.md` specifies the files.

Names are imported when they are asked for: a command line reads its options before numpy is there.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.dataset import Dataset
    from schemas.errors import DamagedDataError, DatasetError, DuetError, StoreError
    from schemas.features import PRESETS, FeatureConfig, FeatureSpec
    from schemas.manifest import Manifest
    from schemas.permutation import invert, permutation_key, permute
    from schemas.storage import Storage
    from schemas.windows import Window, read_at
else:
    from schemas.lazy import lazy_attributes

    __getattr__ = lazy_attributes(
        __name__,
        {
            "PRESETS": "schemas.features",
            "DamagedDataError": "schemas.errors",
            "Dataset": "schemas.dataset",
            "DatasetError": "schemas.errors",
            "DuetError": "schemas.errors",
            "FeatureConfig": "schemas.features",
            "FeatureSpec": "schemas.features",
            "Manifest": "schemas.manifest",
            "Storage": "schemas.storage",
            "StoreError": "schemas.errors",
            "Window": "schemas.windows",
            "invert": "schemas.permutation",
            "permutation_key": "schemas.permutation",
            "permute": "schemas.permutation",
            "read_at": "schemas.windows",
        },
    )

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
