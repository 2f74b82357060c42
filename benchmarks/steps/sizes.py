"""The models whose steps are timed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from training.config import FrameModelConfig, TrainingConfig

FRAMES, MELS = 430, 128


@dataclasses.dataclass(frozen=True)
class Size:
    """The layers' `units`, and the windows in a batch."""

    units: tuple[int, ...]
    batch: int

    @property
    def frames(self) -> int:
        """The frames in a batch."""
        return self.batch * FRAMES

    @property
    def words(self) -> list[str]:
        """What `of` reads."""
        return [str(self.batch), *map(str, self.units)]

    @staticmethod
    def of(words: Sequence[str]) -> Size:
        batch, *units = map(int, words)
        return Size(tuple(units), batch)

    def __str__(self) -> str:
        return f"{' + '.join(map(str, self.units))} units, batch of {self.batch}"


DEFAULT = Size(FrameModelConfig().units, TrainingConfig().batch_size)
DEMO = Size((192,), 4)
LARGE = Size((512, 512), 8)
