"""What a reader delivers: which windows, which features, cut how, and in which order."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from schemas import Dataset, FeatureConfig
from training.errors import TrainingError
from training.validation import one_of, shown, whole_number

ORDERS = ("shuffled", "contiguous")

_MAX_BATCH_SIZE = 2**31
_MAX_CROPS = 2**20
MAX_SEED = 2**63 - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """The options of `open_dataset` that decide what a batch holds.

    `crop_frames` is a number of frames, the whole window's where nothing is cropped; a window
    yields `crops_per_window` examples. `ReadOptions.of` checks them against a dataset.
    """

    split: str
    features: tuple[str, ...]
    file_format: str
    batch_size: int
    seed: int
    order: str
    crop_frames: int
    crops_per_window: int

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        *,
        split: str = "train",
        features: str | Sequence[str] = ("log_mel",),
        file_format: str | None = None,
        batch_size: int = 16,
        seed: int = 0,
        order: str = "shuffled",
        crop_frames: int | None = None,
        crops_per_window: int | None = None,
    ) -> ReadOptions:
        """Raises `TrainingError` where a dataset cannot be read like this."""
        formats = dataset.manifest.formats
        chosen = formats[0] if file_format is None else file_format
        if not isinstance(chosen, str) or chosen not in formats:
            raise TrainingError(
                f"{dataset.storage.root}: holds {' and '.join(formats)}, not {shown(chosen)}; give "
                "one of these as file_format"
            )
        splits = dataset.manifest.splits
        if not isinstance(split, str) or split not in splits:
            raise TrainingError(
                f"{dataset.storage.root}: has no split {shown(split)}, only {', '.join(splits)}; "
                "give one of these as split"
            )
        _require_windows(dataset, split)
        order = one_of("order", order, ORDERS)
        config = dataset.config
        frames = config.window_frames
        if crop_frames is not None:
            frames = whole_number("crop_frames", crop_frames, 1, config.window_frames)
        options = cls(
            split=str(split),
            features=_feature_names(dataset, features),
            file_format=str(chosen),
            batch_size=whole_number("batch_size", batch_size, 1, _MAX_BATCH_SIZE),
            seed=whole_number("seed", seed, 0, MAX_SEED),
            order=order,
            crop_frames=frames,
            crops_per_window=whole_number(
                "crops_per_window",
                1 if crops_per_window is None else crops_per_window,
                1,
                _MAX_CROPS,
            ),
        )
        if order == "contiguous":
            return options._contiguous(config, is_counted=crops_per_window is not None)
        if options.crops_per_window > 1 and frames == config.window_frames:
            raise TrainingError(
                f"crops_per_window={options.crops_per_window} needs crop_frames, fewer than the "
                f"window's {frames} frames"
            )
        return options

    def _contiguous(self, config: FeatureConfig, *, is_counted: bool) -> ReadOptions:
        """The same, with as many crops as lie in a window one after the other.

        `is_counted` says whether the user gave `crops_per_window`.
        """
        frames, crop = config.window_frames, self.crop_frames
        if config.stride_frames != frames:
            raise TrainingError(
                f"order='contiguous': windows of {frames} frames overlap at a stride of "
                f"{config.stride_frames}; make a dataset with stride_frames={frames}"
            )
        if frames % crop:
            raise TrainingError(
                f"crop_frames={crop} must divide the window's {frames} frames where "
                f"order='contiguous': {', '.join(map(str, _divisors(frames)))}"
            )
        count = frames // crop
        if is_counted and self.crops_per_window != count:
            crops = "crop" if count == 1 else "crops"
            raise TrainingError(
                f"crops_per_window={self.crops_per_window}: with order='contiguous' and "
                f"crop_frames={crop} a window has {count} {crops}; leave "
                "crops_per_window out"
            )
        return dataclasses.replace(self, crops_per_window=count)


def _require_windows(dataset: Dataset, split: str) -> None:
    splits = dataset.manifest.splits
    if splits[split].windows:
        return
    others = [f"{name} ({found.windows})" for name, found in splits.items() if found.windows]
    remedy = "make a dataset of three recordings or more, or assign splits of your own"
    if others:
        remedy = f"read one that does: {', '.join(others)}; or {remedy}"
    raise TrainingError(f"{dataset.storage.root}: split {split!r} holds no windows; {remedy}")


def _feature_names(dataset: Dataset, features: Any) -> tuple[str, ...]:
    stored = dataset.config.features
    try:
        names = (features,) if isinstance(features, str) else tuple(features)
    except TypeError:
        names = ()
    known = all(isinstance(name, str) and name in stored for name in names)
    if not known or not 1 <= len(names) == len(set(names)):
        raise TrainingError(
            f"features={shown(features)}: {dataset.storage.root} holds {', '.join(stored)}; name "
            "some of these, once each"
        )
    return tuple(map(str, names))


def _divisors(number: int) -> list[int]:
    small = [each for each in range(1, math.isqrt(number) + 1) if number % each == 0]
    return sorted({*small, *(number // each for each in small)})
