"""Datasets become batches, batches become models, models become music.

Names are imported when they are asked for: a command line reads its options before numpy is there.
"""

from typing import TYPE_CHECKING

import musicnet_duet.own_schemas  # noqa: F401 - before anything imports schemas

if TYPE_CHECKING:
    from training.errors import TrainingError
    from training.reading.opening import open_dataset
    from training.reading.reader import Reader
else:
    from schemas.lazy import lazy_attributes

    __getattr__ = lazy_attributes(
        __name__,
        {
            "Reader": "training.reading.reader",
            "TrainingError": "training.errors",
            "open_dataset": "training.reading.opening",
        },
    )

__all__ = ["Reader", "TrainingError", "open_dataset"]
